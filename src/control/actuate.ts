import { map, type OperatorFunction } from 'rxjs';
import type { FrameEncoder } from '../protocol/frame.ts';
import type { SafeCommand } from '../safety/guard.ts';
import type { Actuated, Guarded } from './tick.ts';

export interface Actuator {
  /** the encoder of the present session */
  readonly encoder: () => FrameEncoder;
  readonly write: (bytes: Uint8Array) => boolean;
  readonly nowNs: () => bigint;
}

/** The one place that puts a command on the wire, and it takes nothing but a `SafeCommand`. */
function put(command: SafeCommand, actuator: Actuator): { written: boolean; nowNs: bigint } {
  const bytes = actuator.encoder().encode(command, Number(actuator.nowNs() / 1000n) >>> 0);
  const written = actuator.write(bytes);
  return { written, nowNs: actuator.nowNs() };
}

/** what is safe → the wire */
export const actuate = (actuator: Actuator): OperatorFunction<Guarded, Actuated> =>
  map((guarded) => {
    const { written, nowNs } = put(guarded.command, actuator);
    return { ...guarded, written, latencyUs: Number(nowNs - guarded.arrivedNs) / 1000 };
  });
