import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectAsync, type MqttClient } from 'mqtt';
import { CONFIG_NAME } from '../../src/commands/context.ts';
import { say } from '../../src/commands/output.ts';
import { realTimePrefix } from '../../src/commands/run.ts';
import { EdgeError } from '../../src/errors.ts';
import { ControlClient } from '../../src/gateway/control-client.ts';
import { generateKeyPair } from '../../src/keys/key-pair.ts';
import { formatTrustFile, readTrustFile, trustEntry } from '../../src/keys/trust-store.ts';
import { topic } from '../../src/messages/mqtt.ts';
import type { Command } from '../../src/messages/requests.ts';
import { modelsDirectory } from '../../src/robot/robot.ts';
import { Belongings, message, mosquitto } from './children.ts';
import type { LoadMessage } from './load.ts';
import type { McuMessage } from './mcu-on-stand.ts';
import { quantiles } from './quantiles.ts';

const TRIALS = 300;
const UNLOADED_TRIALS = 50;
const ROBOT = 'bench';
const CLI = fileURLToPath(new URL('../../dist/h2o-edge.cjs', import.meta.url));
/** Stands for hardware that nobody else computes on. */
const MCU_PRIORITY = 70;

interface Trials {
  readonly stopMs: number[];
  readonly roundTripMs: number[];
  readonly pubackMs: number[];
}

/**
 * How long an e-stop takes over a real broker: from the call that publishes it to the bytes of the stop frame at the motor
 * controller. Every trial is a first stop: the robot runs under a policy, is stopped, and is reset and armed again by signed
 * commands. The broker's own round trip, measured in the same trials, is what no robot can be faster than.
 */
export async function estop(): Promise<object> {
  const belongings = new Belongings();
  try {
    return await measure(belongings);
  } finally {
    await belongings.end();
  }
}

async function measure(belongings: Belongings): Promise<object> {
  const url = await mosquitto(belongings);
  const mcu = belongings.module('mcu-on-stand.ts', [], realTimePrefix(MCU_PRIORITY));
  const ready = await message<McuMessage>(mcu, ({ is }) => is === 'ready');
  const folder = belongings.folder();
  const { control, order } = await startRobot(belongings, folder, url, 'port' in ready ? ready.port : '');
  const { scheduling } = await control.status();

  const client = await connectAsync(url, { protocolVersion: 5, clientId: 'bench-publisher' });
  belongings.add(() => client.endAsync(true).then(() => undefined));
  if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function') client.stream.setNoDelay(true);
  await client.subscribeAsync('bench/echo', { qos: 1 });

  const run = async (count: number): Promise<Trials> => {
    const trials: Trials = { stopMs: [], roundTripMs: [], pubackMs: [] };
    for (let trial = 0; trial < count; trial++) await oneTrial(trials, { client, mcu, order });
    return trials;
  };
  const unloaded = await run(UNLOADED_TRIALS);
  const load = belongings.module('load.ts', [url]);
  await message<LoadMessage>(load, ({ is }) => is === 'up');
  await delay(500);
  load.send('begin');
  const loaded = await run(TRIALS);
  const asked = message<LoadMessage>(load, ({ is }) => is === 'load');
  load.send('end');
  const { cpu, messagesPerSecond } = await asked;
  const tapped = message<McuMessage>(mcu, ({ is }) => is === 'latency');
  mcu.send('latency');
  const latency = await tapped;
  control.close();

  const stop = quantiles(loaded.stopMs);
  const roundTrip = quantiles(loaded.roundTripMs);
  const puback = quantiles(loaded.pubackMs);
  const idle = quantiles(unloaded.stopMs);
  const line = (name: string, { p50Ms, p99Ms, maxMs }: ReturnType<typeof quantiles>) =>
    say(`${name.padEnd(46)} p50 ${p50Ms} ms  p99 ${p99Ms} ms  max ${maxMs} ms`);
  say(`control: ${scheduling.policy} ${scheduling.priority}; load: ${cpu} processors, ${messagesPerSecond} messages/s`);
  line(`publish → stop frame at the MCU, ${TRIALS} first stops`, stop);
  line('the same without load', idle);
  line('broker: publish → the message comes back', roundTrip);
  line('broker: publish → PUBACK', puback);
  if (latency.is === 'latency') {
    say(`sensor frame → command at the same MCU            p50 ${latency.p50} µs  p99 ${latency.p99} µs`);
  }
  return {
    trials: TRIALS,
    ...stop,
    brokerRoundTrip: roundTrip,
    brokerPuback: puback,
    unloaded: { trials: UNLOADED_TRIALS, ...idle, brokerRoundTrip: quantiles(unloaded.roundTripMs) },
    frameToCommandUs: latency.is === 'latency' ? { p50: latency.p50, p99: latency.p99, max: latency.max } : null,
    scheduling,
    load: { cpu, messagesPerSecond },
  };
}

const milliseconds = (from: bigint, to: bigint) => Number(to - from) / 1e6;

async function oneTrial(
  trials: Trials,
  { client, mcu, order }: { client: MqttClient; mcu: ChildProcess; order: (command: Command) => Promise<void> },
): Promise<void> {
  const active = message<McuMessage>(mcu, (said) => said.is === 'state' && said.state === 'active');
  await order({
    name: 'mode',
    mode: { task: 'standing-still', controller: 'standing-still-balancer' },
  });
  await active;
  // Anywhere between two sensor frames, and after what the commands have stirred up.
  await delay(50 + 20 * Math.random());

  const echoed = new Promise<bigint>((resolve) => {
    client.once('message', () => resolve(process.hrtime.bigint()));
  });
  const asked = process.hrtime.bigint();
  await Promise.all([
    client.publishAsync('bench/echo', 'echo', { qos: 1 }).then(() => {
      trials.pubackMs.push(milliseconds(asked, process.hrtime.bigint()));
    }),
    echoed.then((came) => trials.roundTripMs.push(milliseconds(asked, came))),
  ]);
  await delay(10 + 10 * Math.random());

  const stopped = message<McuMessage>(mcu, ({ is }) => is === 'stop');
  const latched = message<McuMessage>(mcu, (said) => said.is === 'state' && said.state === 'estopped');
  const published = process.hrtime.bigint();
  void client.publish(topic(ROBOT, 'estop'), 'stop', { qos: 1 });
  const stop = await stopped;
  if (stop.is === 'stop') trials.stopMs.push(milliseconds(published, BigInt(stop.atNs)));
  await latched;
  await order({ name: 'reset' });
}

/** Control as `h2o-edge run` starts it, with the shipped policies, and a way to give it signed orders. */
async function startRobot(belongings: Belongings, folder: string, url: string, port: string) {
  const operator = generateKeyPair();
  const trusted = [
    ...readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml')),
    trustEntry(operator.publicKey, 'operator', 'bench'),
  ];
  writeFileSync(join(folder, 'trust.yaml'), formatTrustFile(trusted));
  mkdirSync(join(folder, 'run'));
  const config = {
    name: ROBOT,
    serial: { path: port },
    policies: [join(modelsDirectory, 'policies')],
    broker: { url },
    // Here nobody stands beside the robot; and a machine that is loaded on purpose is no reason not to arm.
    resetConfirmation: 'none',
    delayCheck: 'warn',
    http: { port: 0 },
    logLevel: 'warn',
  };
  // JSON is YAML.
  writeFileSync(join(folder, CONFIG_NAME), JSON.stringify(config));
  belongings.program(process.execPath, [CLI, 'run', '--config', join(folder, CONFIG_NAME)]);
  const control = await patiently(() => ControlClient.connect(join(folder, 'run', 'control.sock')));
  const order = (command: Command) => patiently(() => control.command(command, operator.privateKey));
  await patiently(async () => {
    const { counters } = await control.status();
    if (!counters['estopClient.connections']) throw notYet('its e-stop client is not connected');
  });
  return { control, order };
}

const notYet = (what: string) => new EdgeError('notRunning', what, 'wait');

/** Again until it is granted: a robot needs its time to settle, and signature checks are rationed. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 600; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof EdgeError) || left === 0) throw error;
      await delay(50);
    }
  }
}
