import type { KeyObject } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { EdgeError, messageOf } from '../errors.ts';
import { signCommand } from '../keys/command.ts';
import type { Answer, Command, EstopStage, Request } from '../messages/requests.ts';
import { answerSchema } from '../messages/requests.ts';
import { jsonForSocket, MAX_ANSWER, SocketKind, SocketSplitter } from '../messages/socket-frame.ts';
import { type Status, statusSchema } from '../messages/status.ts';

/** How long an answer may take before the other end counts as dead [ms]. */
const ANSWER_TIMEOUT = 5000;

/** The client's side of control's socket. */
export class ControlClient {
  onRow: (bytes: Buffer) => void = () => {};
  /** a block of the tape; comes with the rows */
  onTape: (bytes: Buffer) => void = () => {};
  onEvent: (event: Record<string, unknown>) => void = () => {};
  /** the connection has ended, from whichever side */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #splitter = new SocketSplitter(MAX_ANSWER);
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      for (const settle of this.#waiting.values()) settle(undefined);
      this.#waiting.clear();
    });
  }

  /** @throws EdgeError `notRunning` */
  static async connect(path: string): Promise<ControlClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) =>
        reject(
          new EdgeError(
            'notRunning',
            `control does not answer on ${path}: ${messageOf(error)}`,
            'start it with `h2o-edge run`, or name its configuration with --config; to stop the robot now, cut its power',
          ),
        ),
      );
    });
    return new ControlClient(socket);
  }

  /** What was written still goes out. */
  close(): void {
    this.#socket.destroySoon();
  }

  /**
   * Any request, and the answer as it came; refusals are answers too.
   * @throws EdgeError `noAnswer`
   */
  async request(request: Request): Promise<Answer> {
    const answer = answerSchema.safeParse(await this.#ask(request));
    if (answer.success) return answer.data;
    const remedy = 'see its log; `h2o-edge estop` if in doubt';
    throw new EdgeError('noAnswer', `control did not answer "${request.request}"`, remedy);
  }

  async status(): Promise<Status> {
    const { status } = await this.#granted({ request: 'status' });
    return statusSchema.parse(status);
  }

  async subscribe(what: { rows: boolean; events: boolean }): Promise<void> {
    await this.#granted({ request: 'subscribe', ...what });
  }

  /** All rows up to this sequence are on disk. */
  acknowledge(sequence: number): void {
    this.#socket.write(jsonForSocket({ id: this.#nextId++, request: 'acknowledge', sequence }));
  }

  heartbeat(session: string, counter: number): void {
    this.#socket.write(jsonForSocket({ id: this.#nextId++, request: 'heartbeat', session, counter }));
  }

  async disarm(): Promise<void> {
    await this.#granted({ request: 'disarm' });
  }

  /**
   * Stops the robot.
   * @param reached told of each stage as it comes, and with `latched` whether the latch is on disk
   * @param patience how long to wait for the motor controller's own word [ms]
   * @returns the stages that were reached, and whether the latch is on disk
   */
  async estop(
    source: string,
    reached: (stage: EstopStage, onDisk: boolean) => void = () => {},
    patience = 2000,
  ): Promise<{ stages: EstopStage[]; onDisk: boolean }> {
    const id = this.#nextId++;
    const stages: EstopStage[] = [];
    let onDisk = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#waiting.set(id, (answer) => {
        const parsed = answerSchema.safeParse(answer);
        if (!parsed.success || !parsed.data.ok || parsed.data.stage === undefined) {
          clearTimeout(timer);
          resolve();
          return;
        }
        stages.push(parsed.data.stage);
        onDisk ||= parsed.data.onDisk === true;
        reached(parsed.data.stage, parsed.data.onDisk === true);
        if (stages.length < 3) return;
        clearTimeout(timer);
        resolve();
      });
      this.#socket.write(jsonForSocket({ id, request: 'estop', source }));
    });
    this.#waiting.delete(id);
    return { stages, onDisk };
  }

  /**
   * Asks for a challenge, signs the command over it and sends it.
   * @throws EdgeError `requestRefused` with the robot's own words
   */
  async command(command: Command, key: KeyObject): Promise<void> {
    const { robot, challenge } = await this.#granted({ request: 'challenge' });
    const envelope = signCommand(
      { robot: String(robot), challenge: String(challenge), counter: Date.now(), command },
      key,
    );
    await this.#granted({ request: 'command', envelope });
  }

  /** @throws EdgeError `requestRefused` with control's own words */
  async #granted(request: Request): Promise<Extract<Answer, { ok: true }>> {
    const answer = await this.request(request);
    if (answer.ok) return answer;
    const { code, message, remedy } = answer.refusal;
    throw new EdgeError('requestRefused', `${message} (${code})`, remedy);
  }

  async #ask(request: Request): Promise<unknown> {
    const id = this.#nextId++;
    const answer = await new Promise<unknown>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT);
      this.#waiting.set(id, (received) => {
        clearTimeout(timer);
        resolve(received);
      });
      this.#socket.write(jsonForSocket({ id, ...request }));
    });
    this.#waiting.delete(id);
    return answer;
  }

  #receive(bytes: Buffer): void {
    this.#splitter.push(bytes);
    for (let message = this.#splitter.next(); message; message = this.#splitter.next()) {
      if (message.kind === SocketKind.row) this.onRow(message.payload);
      else if (message.kind === SocketKind.tape) this.onTape(message.payload);
      else this.#receiveJson(JSON.parse(message.payload.toString('utf8')));
    }
    if (this.#splitter.broken) this.#socket.destroy();
  }

  #receiveJson(value: Record<string, unknown>): void {
    const { id } = value;
    if (typeof id === 'number') this.#waiting.get(id)?.({ ...value, id });
    else this.onEvent(value);
  }
}
