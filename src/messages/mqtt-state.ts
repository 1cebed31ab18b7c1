import { MQTT_SCHEMA, type OfflineState, type OnlineState, type RecordingState } from './mqtt-payloads.ts';
import type { Status } from './status.ts';

/**
 * What a person needs of a status.
 * @param at wall clock [ms since 1970]
 */
export function stateOf(status: Status, recording: RecordingState, at: number): OnlineState {
  const { mcu } = status;
  return {
    schema: MQTT_SCHEMA,
    online: true,
    at,
    robot: status.name,
    model: status.robot,
    revision: status.revision,
    state: status.state,
    mode: status.mode,
    reasons: status.reasons,
    limits: status.limits,
    estop: status.estop,
    mcu: {
      session: mcu.session,
      peer: mcu.peer,
      state: mcu.state,
      faults: mcu.faults,
      latchCause: mcu.latchCause,
      measuredRate: mcu.measuredRate,
    },
    battery: status.estimate && Number.isFinite(status.estimate.battery) ? status.estimate.battery : null,
    controllers: status.controllers,
    refusedPolicies: status.refusedPolicies,
    recording,
    audit: { head: status.audit.head, problem: status.audit.problem },
  };
}

/** Nothing is known of the robot. Also the last will, which the broker publishes when the connection is lost. */
export const offlineState = (problem: string, at: number): OfflineState => ({
  schema: MQTT_SCHEMA,
  online: false,
  at,
  problem,
});

/**
 * What makes a state worth publishing at once. Numbers that creep (battery, rows, rate, limits of a single frame) are
 * left to the regular message.
 */
export function stateKey(state: OnlineState | OfflineState): string {
  if (!state.online) return JSON.stringify([false, state.problem]);
  const { recording } = state;
  return JSON.stringify([
    state.state,
    state.mode,
    state.reasons.map((reason) => reason.id),
    state.estop,
    state.mcu.session,
    state.mcu.state,
    state.mcu.faults,
    state.controllers.map((controller) => controller.id),
    [recording.on, recording.problem],
    state.audit.problem,
  ]);
}
