import { join } from 'node:path';
import type { Logger } from 'pino';
import { accessWarnings, brokerAccess } from '../messages/broker-config.ts';
import type { Config } from '../messages/config.ts';
import { modeSchema } from '../messages/mode.ts';
import { MQTT_SCHEMA, type RecordingState } from '../messages/mqtt.ts';
import { offlineState, stateOf } from '../messages/mqtt-state.ts';
import { decodeRow } from '../messages/row.ts';
import type { Status } from '../messages/status.ts';
import { limitsOf } from '../recording/limits.ts';
import { Recorder } from '../recording/recorder.ts';
import type { RowKey } from '../recording/row-key.ts';
import type { ServiceManager } from '../service-manager.ts';
import { behaviourOf } from './behaviour.ts';
import { Broker } from './broker.ts';
import { ControlLink } from './control-link.ts';
import { HttpServer } from './http-server.ts';
import { openMetrics } from './metrics.ts';
import { PolicyExchange } from './policies/policy-exchange.ts';
import { Relay } from './relay.ts';
import { StatePublisher } from './state-publisher.ts';
import { StopCourier } from './stop-courier.ts';
import { TelemetryThinner } from './telemetry.ts';
import { DatasetUpload } from './upload/dataset-upload.ts';

/** The gateway process, put together: what control says goes to disk and broker, what operators say goes to control. */
export class Gateway {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #recorder: Recorder;
  readonly #control: ControlLink;
  readonly #broker: Broker | undefined;
  readonly #states: StatePublisher;
  readonly #telemetry: TelemetryThinner;
  readonly #courier: StopCourier;
  readonly #http: HttpServer | undefined;
  readonly #upload: DatasetUpload | undefined;
  readonly #manager: ServiceManager;
  #feeding: NodeJS.Timeout | undefined;
  readonly #policies: PolicyExchange | undefined;
  #recording: boolean;
  /** not recording, and what was recorded before is on disk */
  #drained: boolean;
  #problem = '';
  /** what control was told of the recorder */
  #reported: '' | 'behind' | 'disk-full' = '';
  /** the run of control that rows come from now */
  #boot: bigint | undefined;
  #latest: Status | undefined;
  /** what the segments say now about themselves, as JSON */
  #behaviour = '';

  /** @throws EdgeError `fileUnreadable`, when a file of the broker's configuration is not there */
  constructor(config: Config, log: Logger, revision: string, manager: ServiceManager) {
    this.#config = config;
    this.#log = log;
    this.#manager = manager;
    this.#recording = config.record;
    this.#courier = new StopCourier(config);
    this.#http = this.#httpServer();
    this.#drained = !config.record;
    const now = () => performance.now();
    this.#recorder = new Recorder({
      directory: this.#recordings,
      robot: config.name,
      revision,
      limits: limitsOf(config),
      raw: config.recording.raw,
      onDurable: (last) => this.#durable(last),
      onProblem: (problem) => this.#troubled(problem.kind, problem.message),
      onRecovered: () => {
        this.#troubled('recovered', '');
        // Control still has what did not fit; it sends it to whoever connects.
        this.#control.reconnect();
      },
    });
    this.#control = new ControlLink({
      path: join(config.runtimeDirectory, 'control.sock'),
      onRow: (bytes) => this.#row(bytes),
      onTape: (bytes) => {
        if (this.#recording) this.#recorder.tape(bytes);
      },
      onEvent: (event) => this.#event(event),
      onStatus: (status) => this.#status(status),
      onLost: (problem) => this.#lost(problem),
    });
    const access = brokerAccess(config);
    const onEvent = (event: object) => log.info(event, 'broker');
    const broker =
      access &&
      new Broker({
        ...access,
        robot: config.name,
        onEvent,
        onProblem: (problem) => log.warn({ problem }, 'no connection to the broker'),
        renewed: () => brokerAccess(config),
      });
    for (const warning of access ? accessWarnings(access, Date.now(), config.name) : [])
      log.warn(warning, 'certificate');
    this.#broker = broker;
    this.#states = new StatePublisher((state) => broker?.publishState(state), now);
    this.#telemetry = new TelemetryThinner((telemetry) => broker?.publishTelemetry(telemetry));
    if (!access || !broker) return;
    const relay = new Relay({
      robot: config.name,
      control: this.#control,
      respond: (topic, response, correlation) => broker.publishResponse(topic, response, correlation),
      event: (event) => broker.publishEvent(event),
      now,
      wall: Date.now,
    });
    broker.onRequest((message) => relay.handle(message));
    const renewed = () => brokerAccess(config);
    this.#policies = new PolicyExchange({ access, config, control: this.#control, log, renewed });
    this.#upload = config.upload.enabled
      ? new DatasetUpload({
          access,
          robot: config.name,
          directory: this.#recordings,
          upload: config.upload,
          log,
          renewed: () => brokerAccess(config),
          isBusy: () => broker.isSlow,
        })
      : undefined;
  }

  /** @throws EdgeError `recordingFailed` when the folder of recordings cannot be used at all */
  async start(): Promise<void> {
    this.#manager.start();
    // First: to stop needs neither disk nor broker.
    this.#http?.start();
    await this.#recorder.start();
    this.#broker?.start();
    this.#control.start();
    this.#upload?.start();
    await this.#policies?.start();
    this.#log.info({ broker: this.#config.broker.url, recording: this.#recording }, 'gateway is up');
    this.#manager.tell('READY=1');
    const { watchdog } = this.#manager;
    if (watchdog !== undefined) this.#feeding = setInterval(() => this.#feed(), watchdog / 4);
  }

  async stop(): Promise<void> {
    clearInterval(this.#feeding);
    this.#manager.tell('STOPPING=1');
    // Control first hears which rows are safe, or it would send them again to the next gateway.
    await this.#recorder.stop();
    await this.#control.stop();
    await this.#upload?.stop();
    await this.#policies?.stop();
    await this.#broker?.stop();
    await this.#http?.stop();
    await this.#courier.close();
    this.#manager.stop();
  }

  /** A turn of the event loop is all that is asked of a courier. */
  #feed(): void {
    this.#manager.start();
    this.#manager.tell('WATCHDOG=1');
  }

  get #recordings(): string {
    return join(this.#config.stateDirectory, 'recordings');
  }

  #httpServer(): HttpServer | undefined {
    const { address, port } = this.#config.http;
    if (port === 0) return undefined;
    return new HttpServer({
      address,
      port,
      robot: this.#config.name,
      courier: this.#courier,
      metrics: () => this.#metrics(),
      onState: ({ listening, problem }) => {
        if (listening) this.#log.info({ address, port }, 'POST /estop stops the robot');
        else this.#log.warn({ address, port, problem }, 'no HTTP server; trying again');
      },
    });
  }

  #metrics(): string {
    return openMetrics({
      robot: this.#config.name,
      status: this.#latest,
      counters: {
        recorder: this.#recorder.counters,
        broker: this.#broker?.counters ?? {},
        http: this.#http?.counters ?? {},
      },
      residentMemory: process.memoryUsage.rss(),
    });
  }

  #row(bytes: Buffer): void {
    const row = decodeRow(bytes);
    if (!row) {
      this.#log.error({ length: bytes.length }, 'a row that this gateway does not know; control is of another version');
      return;
    }
    this.#boot = row.boot;
    this.#telemetry.row(row);
    if (this.#recording) this.#recorder.row(bytes);
    // Nobody wants it on disk, so control need not keep it; but an acknowledgement speaks for all rows before it.
    else if (this.#drained) this.#control.acknowledge(Number(row.sequence));
  }

  #durable({ boot, sequence }: RowKey): void {
    // Rows of an earlier control are nobody's any more.
    if (boot === this.#boot) this.#control.acknowledge(Number(sequence));
  }

  #event(event: Record<string, unknown>): void {
    if (event.event === 'state') this.#behaves(event.mode);
    this.#recorder.event(event);
    if (event.event === 'record') this.#record(event.recording === true);
    this.#broker?.publishEvent({ ...event, schema: MQTT_SCHEMA, event: String(event.event), at: Date.now() });
  }

  #record(recording: boolean): void {
    this.#recording = recording;
    this.#drained = false;
    if (recording) return;
    void this.#recorder.flush().then(() => {
      this.#drained = !this.#recording && this.#recorder.problem === undefined;
    });
  }

  /** Segments say how their rows came to be; another behaviour begins another segment. */
  #behaves(wanted: unknown): void {
    const mode = modeSchema.safeParse(wanted).data;
    const behaviour = mode && behaviourOf(mode, this.#latest);
    const text = JSON.stringify(behaviour ?? {});
    if (behaviour === undefined || text === this.#behaviour) return;
    this.#behaviour = text;
    this.#recorder.setBehaviour(behaviour);
  }

  #status(status: Status): void {
    const first = this.#latest === undefined;
    this.#latest = status;
    // A gateway that came later has not heard how it began.
    if (first) this.#behaves(status.mode);
    this.#policies?.status(status);
    this.#telemetry.battery = status.estimate?.battery ?? Number.NaN;
    this.#states.update(stateOf(status, this.#recordingState(), Date.now()));
    this.#reportRecorder();
  }

  /** Control names in its reasons what only this process can see; said anew while it lasts, and once when it is over. */
  #reportRecorder(): void {
    const { problem } = this.#recorder;
    const kind = problem === undefined ? '' : problem.kind === 'disk-full' ? 'disk-full' : 'behind';
    if (kind === '' && this.#reported === '') return;
    this.#reported = kind;
    this.#control.request({ request: 'recorder', problem: kind }).catch(() => {});
  }

  #lost(problem: string): void {
    this.#log.warn({ problem }, 'control cannot be reached');
    this.#latest = undefined;
    this.#policies?.lost();
    this.#states.update(offlineState(problem, Date.now()));
  }

  #troubled(kind: string, message: string): void {
    this.#problem = message;
    // The recorder goes on, and holds nothing against the disk: the one thing that it does not remember as a problem.
    if (kind === 'too-slow') this.#control.request({ request: 'recorder', problem: 'behind' }).catch(() => {});
    const event = { event: 'recording', kind, message };
    this.#log.warn(event, 'recording');
    this.#broker?.publishEvent({ ...event, schema: MQTT_SCHEMA, at: Date.now() });
  }

  #recordingState(): RecordingState {
    const { rowsDurable } = this.#recorder.counters;
    return { on: this.#recording && this.#problem === '', rows: rowsDurable, problem: this.#problem };
  }
}
