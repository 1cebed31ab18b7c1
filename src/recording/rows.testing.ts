import { encodeRow, type Row } from '../messages/row.ts';

export const BOOT = 0xc0ffeen;

const template: Row = {
  monotonicNs: 0n,
  wallNs: 0n,
  mcuTimeUs: 0n,
  sequence: 0n,
  boot: BOOT,
  policyHash: 1n,
  dtUs: 5000,
  episode: 1,
  step: 0,
  limits: 0,
  conditions: 0n,
  state: [0, 0, 0, 0],
  nextState: [0, 0, 0, 0],
  observation: [],
  requestedTorque: 0,
  commandedTorque: 0,
  appliedTorque: 0,
  measuredTorque: 0,
  reward: 0,
  latencyUs: 900,
  task: 'standing-still',
  robotState: 'running',
  controller: 'balancer',
  done: false,
  timeout: false,
  measured: true,
};

/** An encoded row whose contents follow from its number. */
export function rowNumber(sequence: number, boot = BOOT): Uint8Array {
  const x = Math.sin(sequence);
  return encodeRow({
    ...template,
    sequence: BigInt(sequence),
    boot,
    wallNs: 1_700_000_000_000_000_000n + 5_000_000n * BigInt(sequence),
    monotonicNs: 5_000_000n * BigInt(sequence),
    step: sequence,
    state: [x, -x, x / 2, 1],
    nextState: [x, -x, x / 3, 2],
    reward: 30 - x,
  });
}
