import type { AuditLog } from '../audit/audit-log.ts';
import { type Repeated, Repeats } from '../audit/repeats.ts';
import type { ControlEvent } from './robot-control.ts';

interface Told {
  readonly event: string;
  readonly who: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What is written each time: it wants a signature or a stop that was not in force, so nobody can make a flood of it. */
const ALWAYS: ReadonlySet<string> = new Set([
  'control-start',
  'control-stop',
  'control-failed',
  'command-accepted',
  'estop',
  'estop-stage',
  'reset',
  'reset-confirmed',
]);

/** Between two looks at what has been counted [ms]. */
const SWEEP_INTERVAL = 1000;

/**
 * Puts what happens in control into its audit log: who did it in its own place, and what repeats itself counted. An event
 * that is refused or repeated is told by its kind, so that whoever floods control cannot fill the disk or drive out what
 * is worth keeping.
 */
export class AuditTrail {
  readonly #log: Pick<AuditLog, 'record' | 'stop'>;
  readonly #repeats: Repeats<Told>;
  #conditions: readonly string[] = [];
  #sweeping: NodeJS.Timeout | undefined;

  /** @param now monotonic [ms] */
  constructor(log: Pick<AuditLog, 'record' | 'stop'>, now: () => number) {
    this.#log = log;
    this.#repeats = new Repeats({
      write: (_, { event, who, details }) => log.record(event, who, details),
      summarise: (_, repeated) => this.#summarise(repeated),
      now,
    });
  }

  start(): void {
    this.#sweeping = setInterval(() => this.#repeats.sweep(), SWEEP_INTERVAL);
  }

  /** @param patience for a slow disk [ms] */
  async stop(patience: number): Promise<void> {
    clearInterval(this.#sweeping);
    this.#repeats.flush();
    await this.#log.stop(patience);
  }

  /** Takes in an event as control tells it. */
  take({ event, ...details }: ControlEvent): void {
    const told = event === 'conditions' ? this.#changed(event, details) : withWho(event, details);
    if (ALWAYS.has(event)) this.#log.record(told.event, told.who, told.details);
    else this.#repeats.take(kindOf(told), told);
  }

  /** Which conditions came and went; the whole list says less, again and again. */
  #changed(event: string, { active }: Record<string, unknown>): Told {
    const now = Array.isArray(active) ? active.map(String) : [];
    const before = this.#conditions;
    this.#conditions = now;
    const raised = now.filter((id) => !before.includes(id));
    const cleared = before.filter((id) => !now.includes(id));
    return { event, who: '', details: { raised, cleared, active: now } };
  }

  #summarise({ latest: { event, who, details }, repeats, since }: Repeated<Told>): void {
    this.#log.record(event, who, { ...details, repeats, sinceMono: Math.round(since) });
  }
}

function withWho(event: string, { keyId, source, ...details }: Record<string, unknown>): Told {
  return { event, who: String(keyId ?? source ?? ''), details };
}

/** What counts as the same thing again. Words that a stranger chooses are left out: each would be a kind of its own. */
function kindOf({ event, who, details }: Told): string {
  switch (event) {
    case 'conditions':
      return `${event} ${String(details.raised)} ${String(details.cleared)}`;
    case 'request-refused':
    case 'command-refused':
      return `${event} ${who} ${String(details.reason)}`;
    case 'state':
      return `${event} ${String(details.from)} ${String(details.to)}`;
    case 'link':
    case 'stop-input':
      return `${event} ${String(details.path)} ${String(details.open)}`;
    case 'policy-loaded':
    case 'policy-refused':
      return `${event} ${String(details.id)}`;
    case 'policy-update':
      return `${event} ${String(details.id)} ${String(details.version)} ${String(details.stage)}`;
    case 'session':
    case 'estop-client':
      return `${event} ${String(details.state)}`;
    default:
      return event;
  }
}
