import { randomBytes, randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Allowance } from '../allowance.ts';
import { messageOf } from '../errors.ts';
import { loadTrustStore } from '../keys/trust-store.ts';
import type { Config } from '../messages/config.ts';
import { encodeRow } from '../messages/row.ts';
import { loadRobot } from '../robot/robot.ts';
import { Controllers } from './controllers/controllers.ts';
import { loadPolicies } from './controllers/policies.ts';
import { FrameSource } from './decode.ts';
import { Estimator } from './estimate.ts';
import { CollectionMeter } from './facts/collection-meter.ts';
import { OperatorWatch } from './facts/operator-watch.ts';
import { SerialLink } from './mcu/link.ts';
import { McuSession } from './mcu/mcu-session.ts';
import { EpisodeClock } from './observe.ts';
import { pipeline } from './pipeline.ts';
import { type ControlEvent, RobotControl } from './robot-control.ts';
import { CHECKS_PER_SECOND, requestHandler } from './socket/requests.ts';
import { RowOutbox } from './socket/row-outbox.ts';
import { SocketServer } from './socket/socket-server.ts';
import { StatusReport } from './socket/status-report.ts';
import { startAudit, tellStages, tellStart } from './start-audit.ts';
import { EstopLatch } from './stopping/estop-latch.ts';
import { ResetConfirmation } from './stopping/reset-confirmation.ts';
import { StopWays } from './stopping/stop-ways.ts';
import { describeRun } from './tape/describe-run.ts';
import { rememberLoop } from './tape/snapshot.ts';
import { TapeWriter } from './tape/tape-writer.ts';
import { openVersions } from './updates/open-versions.ts';
import { PolicyUpdates } from './updates/policy-updates.ts';

/** How often the host greets an MCU that has not answered [ms]; PROTOCOL.md. */
const HELLO_INTERVAL = 500;
/** How often a stop, or the clearing of a latch, is repeated until the MCU follows [ms]. */
const REPEAT_INTERVAL = 50;
/** How long an MCU may take to begin to brake when control is told to end [ms]. */
const SHUTDOWN_TIMEOUT = 200;
/** How long the disk may take to show that it takes a stop before control goes on without [ms]. */
const PROBE_PATIENCE = 500;
/** How long the disk may take with the last entries of the audit log when control is told to end [ms]. */
const AUDIT_PATIENCE = 1000;
/** How long the disk may take with the entry that says why control failed; the MCU brakes meanwhile [ms]. */
const FAILURE_PATIENCE = 200;
/** How long an MCU may take to leave its latch: it brakes for its brake time first [ms]. */
const CLEAR_TIMEOUT = 3000;

/** The control process, put together: serial port, pipeline, safety, socket. Nothing else runs in it. */
export class Control {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #revision: string;
  readonly #stops: Array<() => Promise<void> | void> = [];

  constructor(config: Config, log: Logger, revision: string) {
    this.#config = config;
    this.#log = log;
    this.#revision = revision;
  }

  /**
   * Starts. Everything slow (policies, the runtime's first session) happens before the port is opened.
   * @throws EdgeError when the configuration, the robot file, the trust file or the socket is not usable
   */
  async start(): Promise<void> {
    // Until control listens properly: a signal that nobody handles would end it, and the stop with it.
    let stoppedEarly = false;
    const onEarlySignal = () => {
      stoppedEarly = true;
    };
    process.on('SIGUSR2', onEarlySignal);
    const config = this.#config;
    const log = this.#log;
    const revision = this.#revision;
    const robot = loadRobot(config.robot);
    const trust = loadTrustStore(config.trust);
    const nowNs = () => process.hrtime.bigint();
    const nowMs = () => performance.now();

    const latch = new EstopLatch(join(config.stateDirectory, 'estop'));
    latch.load();
    const probed = latch.probe();
    const boot = randomBytes(8).readBigUInt64LE();
    const { auditLog, trail } = startAudit({ config, log, boot, nowMs, latch });
    const confirmation = new ResetConfirmation({ wanted: config.resetConfirmation === 'local', now: nowMs });
    // A disk that hangs keeps the robot from being armed, not control from starting.
    await Promise.race([probed, sleep(PROBE_PATIENCE)]);
    const folders = await loadPolicies(config, robot, trust, log);
    const { refused } = folders;
    const kept = await openVersions({ config, robot, trust, log, folders });
    const { policies } = kept;
    this.#stops.push(() => kept.bench.stop());

    const link = new SerialLink({ ...config.serial, silence: robot.timing.sensorSilence, now: nowNs });
    const session = new McuSession({
      drawNonce: () => randomInt(1, 2 ** 32 - 1),
      revision,
      nowMicros: () => Number(nowNs() / 1000n) % 2 ** 32,
      send: (bytes) => link.write(bytes),
    });
    const outbox = new RowOutbox();
    const wallNs = () => BigInt(Date.now()) * 1_000_000n;
    const tape = new TapeWriter({
      boot,
      run: describeRun(revision, robot, policies, latch.latched),
      wallNs,
      push: (bytes) => outbox.pushTape(bytes),
    });
    const controllers = new Controllers(robot, policies, tape.policyClock(nowNs));
    const episodes = new EpisodeClock();
    const operator = new OperatorWatch(config.operatorHeartbeat);
    const control = new RobotControl({
      operator,
      confirmation,
      robot,
      session,
      controllers,
      episodes,
      latch,
      now: nowMs,
      facts: tape.facts,
      journal: tape.order,
      refusedPolicies: refused,
      wall: Date.now,
      delay: { baudRate: config.serial.baudRate, enforce: config.delayCheck === 'refuse' },
    });
    const source = new FrameSource(session);
    control.facts.line = source.decoder.counters;
    const actuator = { encoder: () => session.encoder, write: (bytes: Uint8Array) => link.write(bytes), nowNs };
    const status = new StatusReport({
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
    });

    const collection = new CollectionMeter();
    status.collection = collection;

    const audit = (event: ControlEvent) => {
      log.info(event, event.event);
      server.broadcast(event);
      trail.take(event);
    };
    const requests = {
      operator,
      outbox,
      name: config.name,
      control,
      trust,
      // A restart forgets the counters, but it forgets the challenges too, and no command is good without one.
      counters: new Map<string, number>(),
      status: () => status.now(),
      estopEcho$: session.estopEcho$,
      allowance: new Allowance(CHECKS_PER_SECOND, nowMs),
      mcuSettled: () => pollUntil(() => control.mcuIsIdle, CLEAR_TIMEOUT),
      audit,
      now: nowMs,
    };
    const updates = new PolicyUpdates(
      { ...kept.parts, control, policies, rate: () => controllers.rate, tell: (event) => audit(event) },
      kept.slots,
      kept.opened,
    );
    status.updates = updates;
    const server = new SocketServer({
      path: join(config.runtimeDirectory, 'control.sock'),
      outbox,
      handlerFor: () => requestHandler({ ...requests, policies: updates }),
      onRefused: (reason) => trail.take({ event: 'request-refused', reason }),
    });
    status.server = server;
    status.outbox = outbox;
    await server.start();
    this.#stops.push(() => server.stop());

    const tellDelay = () => {
      for (const { id, verdict, found, remedy } of control.delay?.budget().findings ?? []) {
        if (verdict === 'fail' && id !== 'delay-samples') log.warn({ id, found, remedy }, 'delay budget');
      }
    };
    // Slow the first time: better before the port is open than when somebody arms.
    tellDelay();
    tellStart(trail, { config, revision, robot, latch, trust, policies, refused });

    session.accepted$.subscribe(({ sensorRate }) => {
      if (sensorRate !== controllers.rate) tape.order({ order: 'prepare', sensorRate });
      if (!controllers.prepare(sensorRate))
        log.warn({ sensorRate }, 'the robot cannot be balanced at this sensor rate');
      tellDelay();
    });
    session.state$.subscribe((state) => {
      control.sessionChanged();
      trail.take({ event: 'session', state, peer: session.peer?.name ?? '' });
    });
    control.events$.subscribe((event) => {
      if (event.event === 'state') {
        collection.modeBegins(control.safety.mode);
        updates.stateChanged();
      }
      if (event.event === 'estop-again') trail.take(event);
      else audit(event);
      if (event.event === 'estop') tellStages(event.stop, trail, latch, session);
    });
    link.open$.subscribe((open) => {
      if (open) {
        source.reset();
        session.opened();
      } else session.closed();
      control.linkChanged(open);
      if (!open) tape.close();
      audit({ event: 'link', open, path: config.serial.path, problem: link.health.lastProblem });
    });
    link.silent$.subscribe((silent) => control.linkSilent(silent));

    const rows = { robot, boot, wallOffsetNs: () => wallNs() - nowNs() };
    const estimator = new Estimator(robot);
    const rows$ = pipeline(link.chunks$, {
      source: { sense: (chunk) => tape.chunk(source.sense(chunk)) },
      estimator,
      episodes,
      controllers,
      control,
      actuator,
      actuated: (tick) => {
        tape.answer(tick);
        status.observe(tick);
        updates.frame(tick);
        if (tape.wantsMemory) tape.memory(rememberLoop({ estimator, episodes, controllers, control }));
      },
      rows,
    });
    rows$.subscribe({
      // The command has gone out; now there is time for what can wait.
      next: (row) => {
        const bytes = encodeRow(row);
        outbox.push(Number(row.sequence), bytes);
        updates.rows.push(bytes);
        outbox.pump();
        collection.row(row);
      },
      // An error ends the pipeline and with it every answer: better to end the process, which restarts disarmed.
      error: (error: unknown) => {
        log.fatal({ err: error }, 'the control pipeline failed');
        trail.take({ event: 'control-failed', problem: messageOf(error) });
        void trail.stop(FAILURE_PATIENCE).finally(() => process.exit(70));
      },
    });

    const stopWays = new StopWays({ config, log, control, session, latch, confirmation, audit, trail });
    status.stopWays = stopWays;
    await stopWays.start();
    process.off('SIGUSR2', onEarlySignal);
    if (stoppedEarly) void control.estop('SIGUSR2');
    // For whoever finds the socket dead and wants to stop the robot by signal.
    writeFileSync(join(config.runtimeDirectory, 'control.pid'), `${process.pid}\n`);
    this.#stops.push(() => stopWays.stop());

    const greeting = setInterval(() => session.hello(), HELLO_INTERVAL);
    const repeating = setInterval(() => {
      control.repeat();
      stopWays.look();
      updates.tick();
      tape.closeIfIdle();
      // A reader that comes while no frames do.
      outbox.pump();
      control.surroundings.rowsLost(outbox.counters.lost);
    }, REPEAT_INTERVAL);
    this.#stops.push(
      () => clearInterval(greeting),
      () => clearInterval(repeating),
    );

    link.start();
    this.#stops.push(async () => {
      trail.take({ event: 'control-stop' });
      await trail.stop(AUDIT_PATIENCE);
    });
    this.#stops.unshift(
      () => control.shutDown(() => pollUntil(() => !control.mcuIsActive, SHUTDOWN_TIMEOUT)),
      () => link.stop(),
    );
    log.info(
      { robot: robot.name, port: config.serial.path, policies: [...policies.keys()], ...status.scheduling },
      'control is up',
    );
  }

  /** A moving robot is told to brake, which it goes on to do by itself; then everything is closed. */
  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
  }
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Looks every 10 ms; gives up after `timeout` [ms]. */
async function pollUntil(isSo: () => boolean, timeout: number): Promise<void> {
  const end = performance.now() + timeout;
  while (!isSo() && performance.now() < end) await sleep(10);
}
