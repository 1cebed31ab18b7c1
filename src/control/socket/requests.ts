import { randomBytes } from 'node:crypto';
import type { Observable, Subscription } from 'rxjs';
import type { Allowance } from '../../allowance.ts';
import { ChallengeBook } from '../../keys/challenge-book.ts';
import { CommandVerifier, type CounterMemory } from '../../keys/command.ts';
import type { TrustStore } from '../../keys/trust-store.ts';
import { type Command, commandSchema, type Refusal, type Request } from '../../messages/requests.ts';
import type { Status } from '../../messages/status.ts';
import type { OperatorWatch } from '../facts/operator-watch.ts';
import type { ControlEvent, RobotControl } from '../robot-control.ts';
import { NO_UPDATES, OTHER_ORDERS } from './refusals.ts';
import type { RowOutbox } from './row-outbox.ts';
import type { RequestHandler } from './socket-server.ts';

export interface RequestParts {
  readonly name: string;
  readonly control: RobotControl;
  readonly trust: TrustStore;
  readonly counters: CounterMemory;
  readonly status: () => Status;
  readonly operator: OperatorWatch;
  readonly outbox: RowOutbox;
  /** without them no versions are taken */
  readonly policies?: PolicyOrders;
  /** the MCU says that torque is off */
  readonly estopEcho$: Observable<void>;
  /** signature checks; each takes a tenth of a millisecond of the control loop, whoever asks for it */
  readonly allowance: Allowance;
  /** resolves when the MCU has had time to leave its latch */
  readonly mcuSettled: () => Promise<void>;
  readonly audit: (event: ControlEvent) => void;
  /** monotonic [ms] */
  readonly now: () => number;
}

/** Versions of policies, as far as anybody may ask for something of them. */
export interface PolicyOrders {
  /** A bundle lies in this folder of the incoming ones. @returns why it is not looked at */
  vet(folder: string): Refusal | undefined;
  /** @returns why not */
  obey(command: Extract<Command, { name: 'policy' }>): Promise<Refusal | undefined>;
}

/** Signature checks in a second, for all connections together. */
export const CHECKS_PER_SECOND = 10;
/** Stops of one connection whose stages are still to be told; one that asks for more is told of the first few. */
const MOST_OPEN_STOPS = 8;

/**
 * What a connection may ask for. Stopping is free; starting, and undoing a stop, want a signature over a challenge that was
 * issued to this very connection.
 */
export function requestHandler(parts: RequestParts): RequestHandler {
  const challenges = new ChallengeBook({ now: parts.now, random: randomBytes });
  const { name, trust, counters } = parts;
  const verifier = new CommandVerifier<Command>({ robot: name, trust, challenges, counters, command: commandSchema });
  const openStops = new OpenStops(parts.estopEcho$);
  let halts = parts.control.halts;
  /** A challenge is good until the next stop or disarming: what was signed before it must not start the robot after it. */
  const forgetOld = () => {
    if (halts === parts.control.halts) return;
    halts = parts.control.halts;
    challenges.forget();
  };

  const runCommand = async (envelope: unknown): Promise<Refusal | undefined> => {
    if (!parts.allowance.take()) {
      parts.audit({ event: 'command-refused', reason: 'too-many-commands' });
      return refusal('too-many-commands', 'wait a second');
    }
    forgetOld();
    const verdict = verifier.verify(envelope);
    if (!verdict.ok) {
      parts.audit({ event: 'command-refused', reason: verdict.reason });
      return refusal(verdict.reason, REMEDIES[verdict.reason] ?? 'sign the command again');
    }
    const { command, keyId } = verdict;
    const refused = await carryOutOn(parts, command);
    const outcome = refused ? { event: 'command-refused', reason: refused.code } : { event: 'command-accepted' };
    parts.audit({ ...outcome, command, keyId });
    return refused;
  };

  return {
    handle(request: Request, answer): void {
      switch (request.request) {
        case 'status':
          answer({ ok: true, status: parts.status() });
          break;
        case 'challenge':
          forgetOld();
          answer({ ok: true, robot: name, ...challenges.issue() });
          break;
        case 'disarm':
          parts.control.disarm();
          answer({ ok: true });
          break;
        case 'estop': {
          const onDisk = parts.control.estop(request.source);
          answer({ ok: true, stage: 'received' });
          openStops.follow(onDisk, answer);
          break;
        }
        case 'command':
          void runCommand(request.envelope).then((refused) =>
            answer(refused ? { ok: false, refusal: refused } : { ok: true }),
          );
          break;
        case 'heartbeat':
          parts.operator.beat(request.session, request.counter);
          answer({ ok: true });
          break;
        case 'acknowledge':
          parts.outbox.acknowledge(request.sequence);
          answer({ ok: true });
          break;
        case 'recorder':
          parts.control.surroundings.recorderReports(request.problem);
          answer({ ok: true });
          break;
        case 'policy-vet': {
          const refused = parts.policies ? parts.policies.vet(request.folder) : NO_UPDATES;
          answer(refused ? { ok: false, refusal: refused } : { ok: true });
          break;
        }
        case 'subscribe':
          break; // the server's own business
      }
    },
    closed: () => openStops.forget(),
  };
}

/** @returns why not, or `undefined` when it is done */
async function carryOutOn(parts: RequestParts, command: Command): Promise<Refusal | undefined> {
  switch (command.name) {
    case 'mode':
      if (command.orders !== undefined && command.orders !== parts.control.orders) return OTHER_ORDERS;
      return parts.control.enterMode(command.mode, command.session);
    case 'reset':
      return await parts.control.reset(parts.mcuSettled);
    case 'policy':
      return parts.policies ? await parts.policies.obey(command) : NO_UPDATES;
    case 'record':
      // The gateway records; that the command was good is all that it waits for.
      parts.audit({ event: 'record', recording: command.recording });
      return undefined;
  }
}

type Answer = (body: Record<string, unknown>) => void;

/** Tells the senders of stops what became of them, and forgets them when their connection is gone. */
class OpenStops {
  readonly #waiting = new Set<Answer>();
  readonly #echoes: Subscription;

  constructor(estopEcho$: Observable<void>) {
    this.#echoes = estopEcho$.subscribe(() => {
      for (const answer of this.#waiting) answer({ ok: true, stage: 'confirmed' });
      this.#waiting.clear();
    });
  }

  follow(onDisk: Promise<boolean>, answer: Answer): void {
    if (this.#waiting.size >= MOST_OPEN_STOPS) return;
    this.#waiting.add(answer);
    void onDisk.then((written) => answer({ ok: true, stage: 'latched', onDisk: written }));
  }

  forget(): void {
    this.#echoes.unsubscribe();
    this.#waiting.clear();
  }
}

const refusal = (code: string, remedy: string): Refusal => ({
  code,
  message: `the command is refused: ${code}`,
  remedy,
});

const REMEDIES: Readonly<Record<string, string>> = {
  'unknown-key': "add the operator's public key to the robot's trust file and restart control",
  'wrong-role': 'sign with an operator key',
  'bad-signature': 'sign the exact text that is sent',
  'other-robot': "name this robot in the command; see `name` in the robot's configuration",
  'challenge-expired': 'ask for a new challenge and answer it at once',
  'challenge-unknown-or-used': 'ask for a new challenge on this connection; each serves once',
  'counter-not-above-last': "set the clock of the operator's machine; commands are counted by its time",
};
