import type { AuditLog } from '../../audit/audit-log.ts';
import type { Config } from '../../messages/config.ts';
import { limitNames } from '../../messages/states.ts';
import type { Status } from '../../messages/status.ts';
import { COVERAGE_CELLS } from '../../robot/coverage.ts';
import type { Robot } from '../../robot/robot.ts';
import { activeConditions } from '../../safety/failsafe-table.ts';
import type { PolicyRunner } from '../controllers/policy-runner.ts';
import type { FrameSource } from '../decode.ts';
import type { CollectionMeter } from '../facts/collection-meter.ts';
import { schedulingInForce } from '../facts/scheduling.ts';
import type { SerialLink } from '../mcu/link.ts';
import { McuClock } from '../mcu/mcu-clock.ts';
import { describeFaults, type McuSession } from '../mcu/mcu-session.ts';
import type { RobotControl } from '../robot-control.ts';
import type { EstopLatch } from '../stopping/estop-latch.ts';
import type { ResetConfirmation } from '../stopping/reset-confirmation.ts';
import type { StopWays } from '../stopping/stop-ways.ts';
import type { Actuated } from '../tick.ts';
import type { PolicyUpdates } from '../updates/policy-updates.ts';
import type { RowOutbox } from './row-outbox.ts';
import type { SocketServer } from './socket-server.ts';

export interface StatusParts {
  readonly config: Config;
  readonly robot: Robot;
  readonly revision: string;
  readonly control: RobotControl;
  readonly session: McuSession;
  readonly source: FrameSource;
  readonly link: SerialLink;
  readonly latch: EstopLatch;
  readonly confirmation: ResetConfirmation;
  readonly auditLog: AuditLog;
  readonly policies: ReadonlyMap<string, PolicyRunner>;
  readonly refused: ReadonlyMap<string, string>;
}

const finiteOrNull = (value: number) => (Number.isFinite(value) ? value : null);

/** Puts the status together when somebody asks; the tick only leaves its latest numbers here. */
export class StatusReport {
  readonly scheduling = schedulingInForce();
  server: SocketServer | undefined;
  outbox: RowOutbox | undefined;
  stopWays: StopWays | undefined;
  collection: CollectionMeter | undefined;
  updates: Pick<PolicyUpdates, 'report'> | undefined;
  readonly #parts: StatusParts;
  readonly #started = performance.now();
  readonly #counters = {
    /** sensor frames that went through the pipeline */
    frames: 0,
    /** commands that went out whole */
    answered: 0,
    /** frames that were overtaken by a newer one before they could be answered */
    superseded: 0,
  };
  readonly #clock = new McuClock();
  #latest: Actuated | undefined;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Called for each tick, after its command has gone out. */
  observe(tick: Actuated): void {
    this.#latest = tick;
    this.#clock.observe(tick);
    this.#counters.frames += 1;
    if (tick.written) this.#counters.answered += 1;
    if (tick.superseded) this.#counters.superseded += 1;
    const { control } = this.#parts;
    control.facts.overruns.add(tick.latencyUs, 1e6 / control.latest.nominalRate, tick.superseded);
  }

  /** Not known before the first frame, nor while a sensor is missing that it needs. */
  #estimate(): Status['estimate'] {
    const { control } = this.#parts;
    const latest = this.#latest;
    if (!latest) return null;
    const { battery } = control.latest;
    const numbers = { ...latest.state, tilt: latest.estimate.tilt, torque: control.sentTorque, battery };
    // JSON has no NaN, and a status that cannot be read would be missing just when it is needed.
    return Object.values(numbers).every(Number.isFinite) ? numbers : null;
  }

  now(): Status {
    const {
      config,
      robot,
      revision,
      control,
      session,
      source,
      link,
      latch,
      confirmation,
      auditLog,
      policies,
      refused,
    } = this.#parts;
    const { stopWays } = this;
    const estopClient = stopWays?.estopClient;
    const { safety, latest: facts } = control;
    const latest = this.#latest;
    return {
      name: config.name,
      robot: robot.name,
      revision,
      pid: process.pid,
      uptimeSeconds: Math.round((performance.now() - this.#started) / 100) / 10,
      scheduling: this.scheduling,
      state: safety.robotState,
      mode: safety.mode,
      reasons: activeConditions(safety.active).map(({ id, action, says, clears, remedy }) => ({
        id,
        action,
        says,
        clears,
        remedy,
      })),
      limits: limitNames(latest?.limits ?? 0),
      estop: {
        latched: latch.latched,
        source: latch.source,
        onDisk: latch.latched && !latch.notPersisted,
        problem: latch.problem,
        confirmation: confirmation.state,
      },
      mcu: {
        session: session.state,
        peer: session.describePeer(),
        state: facts.mcuState,
        faults: [...describeFaults(facts.faults)],
        latchCause: session.latchCause,
        sensorRate: finiteOrNull(facts.nominalRate),
        measuredRate: finiteOrNull(facts.rate),
        clock: this.#clock.offset ?? null,
      },
      estimate: this.#estimate(),
      latencyUs: control.facts.overruns.latency.summary(),
      delay: delayOf(control),
      counters: {
        ...this.#counters,
        overruns: control.facts.overruns.total,
        // stops, disarmings and modes; see the command `mode`
        orders: control.orders,
        'collection.transitions': this.collection?.transitions ?? 0,
        'collection.cells': this.collection?.cells ?? 0,
        'collection.cellsInAll': COVERAGE_CELLS,
        ...prefixed('frames.', source.decoder.counters),
        ...prefixed('link.', link.health),
        ...prefixed('socket.', this.server?.counters ?? {}),
        ...prefixed('estopClient.', estopClient?.counters ?? {}),
        ...prefixed('rows.', this.outbox?.counters ?? {}),
        ...prefixed('audit.', auditLog.counters),
        'session.foreignHellos': session.foreignHellos,
        'session.mcuRestarts': session.restarts,
        'session.framesBefore': source.beforeSession,
      },
      broker: estopClient ? { state: estopClient.state, problem: estopClient.problem } : null,
      stopInputs: (stopWays?.inputs.inputs ?? []).map(({ config: { path }, kind, isOpen, problem, held, stops }) => ({
        path,
        kind,
        open: isOpen,
        problem,
        held,
        stops,
      })),
      audit: { head: auditLog.head ?? null, dropped: auditLog.counters.dropped, problem: auditLog.problem },
      link: { path: config.serial.path, open: link.isOpen, lastProblem: link.health.lastProblem },
      controllers: [...policies.values()].map(({ id, task, rate }) => ({ id, task, rate })),
      refusedPolicies: Object.fromEntries(refused),
      policies: this.updates?.report() ?? [],
    };
  }
}

function delayOf({ delay }: RobotControl): Status['delay'] {
  if (!delay) return null;
  const { measured, ...budget } = delay.budget();
  return {
    ...budget,
    shares: budget.shares.map((share) => ({ ...share })),
    findings: budget.findings.map((finding) => ({ ...finding })),
    samples: measured?.samples ?? 0,
    p999: measured?.p999 ?? 0,
    enforced: delay.enforced,
  };
}

/** The numbers of a counters object under a common prefix. */
function prefixed(prefix: string, counters: object): Record<string, number> {
  const numbers = Object.entries(counters).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return Object.fromEntries(numbers.map(([name, value]) => [prefix + name, value]));
}
