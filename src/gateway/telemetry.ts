import { MQTT_SCHEMA, type TelemetryMessage } from '../messages/mqtt.ts';
import type { Row } from '../messages/row.ts';
import { limitNames } from '../messages/states.ts';
import { activeConditions } from '../safety/failsafe-table.ts';

/** 20 Hz by the clock of the motor controller [µs]. */
const PERIOD = 50_000n;

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** What a message says of the rows since the one before, so that nothing that was limited goes unseen. */
export interface Between {
  /** masks over all of them */
  readonly limits: number;
  readonly conditions: bigint;
  /** slowest of them [µs] */
  readonly latencyUs: number;
  /** [V], NaN if not known; rows do not hold it */
  readonly battery: number;
}

/** A row as it is published. */
export function telemetryOf(row: Row, between: Between): TelemetryMessage {
  const [x, v, pitch, pitchRate] = row.state;
  return {
    schema: MQTT_SCHEMA,
    at: Number(row.wallNs / 1_000_000n),
    mcuTimeUs: Number(row.mcuTimeUs),
    sequence: Number(row.sequence),
    state: { x: finite(x), v: finite(v), pitch: finite(pitch), pitchRate: finite(pitchRate) },
    torque: {
      requested: finite(row.requestedTorque),
      commanded: finite(row.commandedTorque),
      applied: finite(row.appliedTorque),
      measured: row.measured ? finite(row.measuredTorque) : null,
    },
    limits: limitNames(between.limits),
    conditions: activeConditions(between.conditions).map((condition) => condition.id),
    task: row.task,
    controller: row.controller,
    robotState: row.robotState,
    latencyUs: finite(between.latencyUs),
    battery: finite(between.battery),
  };
}

const NOTHING: Between = { limits: 0, conditions: 0n, latencyUs: 0, battery: Number.NaN };

/** Thins rows out to telemetry: the row that completes a period is published, and speaks for those before it. */
export class TelemetryThinner {
  /** from the latest status [V] */
  battery = Number.NaN;
  readonly #publish: (telemetry: TelemetryMessage) => void;
  #between = NOTHING;
  /** MCU time at which the next message is due [µs] */
  #due: bigint | undefined;

  constructor(publish: (telemetry: TelemetryMessage) => void) {
    this.#publish = publish;
  }

  row(row: Row): void {
    const { limits, conditions, latencyUs } = this.#between;
    this.#between = {
      limits: limits | row.limits,
      conditions: conditions | row.conditions,
      latencyUs: Math.max(latencyUs, row.latencyUs),
      battery: this.battery,
    };
    if (!this.#isDue(row.mcuTimeUs)) return;
    this.#publish(telemetryOf(row, this.#between));
    this.#between = NOTHING;
  }

  #isDue(time: bigint): boolean {
    const due = this.#due ?? time;
    // A due time further ahead than a period is that of a clock which began anew.
    if (time < due && due - time <= PERIOD) return false;
    // Step by whole periods, so that the rate does not drift; after a gap begin anew.
    this.#due = time >= due && time - due < PERIOD ? due + PERIOD : time + PERIOD;
    return true;
  }
}
