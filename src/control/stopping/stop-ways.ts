import type { Logger } from 'pino';
import { accessWarnings, brokerAccess } from '../../messages/broker-config.ts';
import type { Config } from '../../messages/config.ts';
import type { AuditTrail } from '../audit-trail.ts';
import type { McuSession } from '../mcu/mcu-session.ts';
import type { ControlEvent, RobotControl } from '../robot-control.ts';
import { ConfirmationDoor } from '../socket/confirmation-door.ts';
import { EstopClient } from './estop-client/estop-client.ts';
import type { EstopLatch } from './estop-latch.ts';
import type { ResetConfirmation } from './reset-confirmation.ts';
import { StopInputs } from './stop-inputs/stop-inputs.ts';

/** How often a disk that refused the latch is tried again [ms]. */
const MEND_INTERVAL = 5000;

export interface StopWaysParts {
  readonly config: Config;
  readonly log: Logger;
  readonly control: RobotControl;
  readonly session: McuSession;
  readonly latch: EstopLatch;
  readonly confirmation: ResetConfirmation;
  readonly audit: (event: ControlEvent) => void;
  readonly trail: AuditTrail;
}

/**
 * The ways to stop that control listens to itself, besides its socket: the broker, buttons and pipes, SIGUSR2; and the one
 * door at which somebody on the robot confirms that a stop may be undone.
 */
export class StopWays {
  readonly #parts: StopWaysParts;
  readonly #inputs: StopInputs;
  readonly #ear: EstopClient | undefined;
  readonly #door: ConfirmationDoor;
  readonly #onSignal: () => void;
  #mending: NodeJS.Timeout | undefined;

  constructor(parts: StopWaysParts) {
    this.#parts = parts;
    this.#ear = this.#makeEar();
    this.#inputs = this.#makeInputs();
    this.#door = this.#makeDoor();
    this.#onSignal = () => void parts.control.estop('SIGUSR2');
  }

  /** The e-stop client; undefined where no broker is configured. */
  get estopClient(): EstopClient | undefined {
    return this.#ear;
  }

  get inputs(): StopInputs {
    return this.#inputs;
  }

  async start(): Promise<void> {
    const { control, latch, log } = this.#parts;
    process.on('SIGUSR2', this.#onSignal);
    if (this.#ear) {
      control.surroundings.brokerLost = true;
      this.#ear.start();
    }
    this.look();
    this.#inputs.start();
    await this.#door.open();
    const { problem } = this.#door;
    if (problem !== '') log.error({ problem }, 'no reset can be confirmed on this robot');
    this.#mending = setInterval(() => void latch.mend(), MEND_INTERVAL);
  }

  async stop(): Promise<void> {
    await this.#ear?.stop();
    await this.#inputs.stop();
    await this.#door.close();
    clearInterval(this.#mending);
    process.off('SIGUSR2', this.#onSignal);
  }

  /** Takes into the facts how the stop inputs are; called now and then, also when nothing of them is heard. */
  look(): void {
    const { facts } = this.#parts.control;
    facts.stopInputLost = this.#inputs.anyLost;
    facts.stopsHeld = this.#inputs.held;
  }

  #makeEar(): EstopClient | undefined {
    const { config, control, log, session, trail } = this.#parts;
    const access = brokerAccess(config);
    if (!access) return undefined;
    for (const warning of accessWarnings(access, Date.now(), config.name)) log.warn(warning, 'certificate');
    return new EstopClient({
      ...access,
      robot: config.name,
      onStop: (source) => ({ onDisk: control.estop(source), confirmed: session.nextEstopEcho }),
      onState: (state, problem) => {
        control.surroundings.brokerLost = state !== 'connected';
        log.info({ state, problem }, 'e-stop client');
        trail.take({ event: 'estop-client', state, problem });
      },
    });
  }

  #makeInputs(): StopInputs {
    const { audit, config, confirmation, control, latch } = this.#parts;
    return new StopInputs({
      inputs: config.stopInputs,
      onStop: (source) => {
        void control.estop(source);
        this.look();
      },
      onConfirm: (source) => {
        if (latch.latched) this.#confirm(confirmation.stop, source);
      },
      onChange: (change) => {
        this.look();
        audit({ event: 'stop-input', ...change });
      },
    });
  }

  #makeDoor(): ConfirmationDoor {
    const { config, confirmation, latch } = this.#parts;
    return new ConfirmationDoor({
      runtimeDirectory: config.runtimeDirectory,
      seen: () => ({
        latched: latch.latched,
        stop: confirmation.stop,
        source: latch.source,
        wanted: confirmation.wanted,
      }),
      confirm: (stop) => this.#confirm(stop, 'a command on the robot'),
    });
  }

  #confirm(stop: number, source: string) {
    const { audit, confirmation, latch } = this.#parts;
    const refused = confirmation.confirm(stop);
    audit({ event: refused ? 'confirmation-refused' : 'reset-confirmed', stop, source, stoppedBy: latch.source });
    return refused;
  }
}
