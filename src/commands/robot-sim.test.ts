import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ControlSocket } from '../simulation/control-socket.ts';
import type { SimRequest } from '../simulation/sim-requests.ts';
import { registerRobotSim } from './robot-sim.ts';

/** What a running simulator is told by `robot-sim` and these words. */
async function told(...words: string[]): Promise<SimRequest | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'h2o-robot-sim-'));
  let request: SimRequest | undefined;
  const socket = new ControlSocket(join(folder, 'sim.sock'), async (heard) => {
    request = heard;
    return { ok: true };
  });
  await socket.start();
  const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(async () => {
    output.mockRestore();
    await socket.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const program = new Command().exitOverride();
  registerRobotSim(program);
  await program.parseAsync(['robot-sim', ...words, '--socket', join(folder, 'sim.sock')], { from: 'user' });
  return request;
}

it.each([
  ['sensor gyro stuck', { verb: 'sensor', sensor: 'gyro', fault: 'stuck' }],
  [
    'sensor imu intermittent amount=80 after=2 seconds=1',
    { verb: 'sensor', sensor: 'imu', fault: 'intermittent', amount: 80, after: 2, seconds: 1 },
  ],
  ['sensor sensor=legs fault=none', { verb: 'sensor', sensor: 'legs', fault: 'none' }],
  ['link drop rate=0.1 direction=to-host', { verb: 'link', fault: 'drop', rate: 0.1, direction: 'to-host' }],
  ['motor left dead', { verb: 'motor', side: 'left', fault: 'dead' }],
  ['brown-out volts=9', { verb: 'brown-out', volts: 9 }],
  ['slip friction=0.1', { verb: 'slip', friction: 0.1 }],
  ['payload kilograms=2 forward=-0.1', { verb: 'payload', kilograms: 2, forward: -0.1 }],
  ['advance seconds=1 patience=0', { verb: 'advance', seconds: 1, patience: 0 }],
  ['mend', { verb: 'mend' }],
])('robot-sim %s', async (words, request) => {
  expect(await told(...words.split(' '))).toEqual(request);
});

it.each([
  ['sensor nose stuck', /sensor/],
  ['sensor gyro broken', /fault/],
  ['sensor gyro stuck now', /"now" is not key=value/],
  ['link flip rate=2', /rate/],
  ['motor middle dead', /side/],
])('robot-sim %s is refused with what is wrong', async (words, message) => {
  await expect(told(...words.split(' '))).rejects.toThrow(message);
});
