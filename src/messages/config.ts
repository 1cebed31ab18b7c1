import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { RESERVED_NAMES } from '../keys/certificates/certificate-role.ts';
import { readYamlFile } from '../yaml-file.ts';
import { ACTIVATIONS } from './policy-updates.ts';

/** What a stop input can be; see `stopInputs`. */
export const STOP_INPUT_KINDS = ['auto', 'joystick', 'event', 'pipe'] as const;

const stopInput = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('`/dev/input/js…`, `/dev/input/event…`, a link to one (`/dev/input/by-id/…`), or a named pipe.'),
  kind: z
    .enum(STOP_INPUT_KINDS)
    .default('auto')
    .describe(
      'What is read from it: `joystick` = struct js_event (8 bytes), `event` = struct input_event (24 bytes on a 64-bit system, 16 on a 32-bit one), `pipe` = any byte stops. `auto`: a named pipe is a pipe, a device goes by its name.',
    ),
  buttons: z
    .array(z.int().min(0).max(0x2ff))
    .default([])
    .describe(
      'Numbers of the buttons (`joystick`) or codes of the keys (`event`) that stop. Empty: any; axes never do.',
    ),
  confirmButtons: z
    .array(z.int().min(0).max(0x2ff))
    .default([])
    .describe(
      'Numbers of buttons, or codes of keys, with which somebody beside the robot confirms that the stop in force may be undone, as `h2o-edge reset --confirm` does. They do not stop. Of a device only: a pipe confirms nothing.',
    ),
});
export type StopInputConfig = z.output<typeof stopInput>;

/** What happens when recordings have used up their space; see `recording.whenFull`. */
export const WHEN_FULL = ['stop', 'drop-oldest-acknowledged', 'drop-oldest'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];

/** Sensors that can be recorded as channels of their own; see `recording.raw`. */
export const RAW_SENSORS = ['imu', 'wheels', 'joints', 'board'] as const;
export type RawSensor = (typeof RAW_SENSORS)[number];

const recordingSchema = z
  .strictObject({
    maxMegabytes: z
      .number()
      .min(64)
      .max(100_000_000)
      .default(20_000)
      .describe('What all segments together may take [MB]; at 200 Hz an hour is about 250 MB.'),
    maxDays: z
      .number()
      .min(0)
      .max(36_500)
      .default(0)
      .describe(
        'Sealed segments that are older are given up, if they have been acknowledged or `whenFull` is `drop-oldest` [d]. 0: they are kept.',
      ),
    leaveFreeMegabytes: z
      .number()
      .min(0)
      .max(100_000_000)
      .default(64)
      .describe('Space on the disk that is left to others [MB].'),
    whenFull: z
      .enum(WHEN_FULL)
      .default('stop')
      .describe(
        'What happens at `maxMegabytes` or `leaveFreeMegabytes`: `stop` = recording stops until there is room, and says so; `drop-oldest-acknowledged` = the oldest segments that somebody has confirmed to hold (`h2o-edge dataset acknowledge`) are removed, and recording stops when there are none; `drop-oldest` = the oldest are removed, confirmed ones first, and what nobody else has is lost.',
      ),
    segmentMegabytes: z
      .number()
      .min(1)
      .max(1000)
      .default(16)
      .describe('A segment is sealed when it is this long [MB], and when the robot is stopped by an e-stop.'),
    segmentSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(60)
      .describe('A segment is sealed when it is this old [s], and at the end of an episode from a quarter of it on.'),
    raw: z
      .array(z.enum(RAW_SENSORS))
      .default([])
      .describe(
        'Sensors that are recorded as they came from the motor controller, each on a channel of its own (`/raw/imu`, `/raw/wheels`, `/raw/joints`, `/raw/board`), for Foxglove and other tools. They cost 350 MB an hour together at 200 Hz.',
      ),
  })
  .prefault({});

const policyUpdatesSchema = z
  .strictObject({
    activation: z
      .enum(ACTIVATIONS)
      .default('operator')
      .describe(
        'When a new version that has passed every test takes over: `operator` = on the signed word of an operator; `after-shadow` = by itself, once it has run beside the active one for `shadowSeconds` without anything to be said against it, and only while the robot stands still or is not armed.',
      ),
    shadowSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(60)
      .describe('How long a version runs beside the active one, unheard, until its shadow is complete [s].'),
    trialSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(60)
      .describe(
        'How long a version is on trial once it is in charge [s]; whatever goes wrong meanwhile brings back the one before it.',
      ),
    keepVersions: z
      .int()
      .min(2)
      .max(1000)
      .default(5)
      .describe('Versions of a policy that are kept on disk; the active and the previous one always are.'),
    maxMegabytes: z
      .number()
      .min(1)
      .max(100_000)
      .default(200)
      .describe('What all versions of all policies may take on disk [MB]; more are refused.'),
  })
  .prefault({});

const uploadSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Whether sealed segments are offered to trainers. Nothing is sent while no trainer is on the broker.'),
    kilobytesPerSecond: z
      .number()
      .min(0)
      .max(1_000_000)
      .default(1000)
      .describe(
        'The most that is sent [kB/s]; at 200 Hz a robot records about 70 kB/s. Keep it below what the uplink takes, so that telemetry and commands never wait behind it. 0: no limit.',
      ),
    keep: z
      .number()
      .min(0)
      .max(36_500)
      .default(0)
      .describe(
        'How old a segment has to be before it is removed once a trainer has confirmed to hold it [d]. 0: it is kept until `recording` says otherwise (`maxDays`, `whenFull`).',
      ),
    trainers: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'must be the name of a trainer' }))
      .default([])
      .describe('Names of the trainers that may have the segments. Empty: any that the broker lets in.'),
  })
  .prefault({});

/** Configuration of one robot. Descriptions become the comments of the file that `h2o-edge init` writes. */
export const configSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower case letters, digits and "-", at most 32' })
    .refine((name) => !RESERVED_NAMES.includes(name), {
      error: `must not be ${RESERVED_NAMES.join(', ')}: these are roles`,
    })
    .default('robot-1')
    .describe('Name of this robot; signed commands are for one name only.'),
  robot: z
    .string()
    .default('wheel-legged')
    .describe('The robot in numbers: a model that ships, or the path of a robot file.'),
  serial: z
    .strictObject({
      path: z.string().min(1).default('/dev/h2o-mcu').describe('Serial device of the motor controller.'),
      baudRate: z
        .int()
        .min(9600)
        .max(12_000_000)
        .default(921_600)
        .describe('Baud rate; firmware-protocol/PROTOCOL.md says which sensor rate fits.'),
    })
    .prefault({})
    .describe('The wire to the motor controller.'),
  runtimeDirectory: z
    .string()
    .default('run')
    .describe("Folder of control's socket; whoever may enter it may stop the robot and read its state."),
  stateDirectory: z
    .string()
    .default('state')
    .describe('Folder of what must survive a restart, such as the e-stop latch.'),
  policies: z
    .array(z.string())
    .default(['policies'])
    .describe(
      'Folders that hold policy bundles, one folder each. Each is verified and tried before the port is opened.',
    ),
  policyUpdates: policyUpdatesSchema.describe(
    'Versions of policies that come over the broker; see docs/policies.md. They lie in the state directory.',
  ),
  trust: z
    .string()
    .default('trust.yaml')
    .describe('File of trusted public keys. An empty or missing file trusts nobody.'),
  operatorHeartbeat: z
    .int()
    .min(0)
    .max(60_000)
    .default(1000)
    .describe(
      "A moving robot holds when its operator's heartbeat is missing for this long [ms]. 0 lets it move unwatched.",
    ),
  stopInputs: z
    .array(stopInput)
    .max(8)
    .default([])
    .describe(
      'Joysticks, buttons and named pipes that stop the robot. Control reads them itself. While one is gone, the robot cannot be armed and a moving one holds.',
    ),
  resetConfirmation: z
    .enum(['local', 'none'])
    .default('local')
    .describe(
      "What undoing an emergency stop wants besides an operator's signature: `local` = somebody on the robot itself, who runs `h2o-edge reset` there, or `h2o-edge reset --confirm`, or presses one of `confirmButtons`, at most a minute before a reset from elsewhere; `none` = nothing. It is confirmed on a socket that only control's own user reaches: a gateway that runs as another user cannot, one that runs as the same user (as under `h2o-edge run`) could.",
    ),
  http: z
    .strictObject({
      address: z
        .string()
        .min(1)
        .default('127.0.0.1')
        .describe(
          'Address to listen on. Whoever reaches it may stop the robot, so `0.0.0.0` is for networks where that is meant.',
        ),
      port: z
        .int()
        .min(0)
        .max(65_535)
        .default(8420)
        .describe('Port to listen on; 0: no HTTP server. Robots on one computer need a port each.'),
    })
    .prefault({})
    .describe("The gateway's HTTP server: `POST /estop` stops the robot."),
  audit: z
    .strictObject({
      keepMegabytes: z
        .number()
        .min(0.25)
        .max(100_000)
        .default(64)
        .describe('At least this much is kept [MB]; then the oldest entries are given up, which the log says.'),
    })
    .prefault({})
    .describe(
      'The audit log in the state directory: what started, stopped or was refused, as a chain of hashes. `h2o-edge audit verify` checks it.',
    ),
  broker: z
    .strictObject({
      url: z
        .string()
        .regex(/^$|^mqtts?:\/\//, { error: 'must begin with mqtt:// or mqtts://, or be empty' })
        .default('')
        .describe('MQTT 5 broker, for example mqtt://192.168.1.2:1883. Empty: none; everything local works without.'),
      username: z.string().default('').describe('Empty: none.'),
      passwordFile: z.string().default('').describe('File that holds the password. Empty: none.'),
      caFile: z
        .string()
        .default('')
        .describe(
          "Certificate authority of the broker, PEM. Empty: ca.pem beside certFile if it is there, else the system's.",
        ),
      certFile: z
        .string()
        .default('')
        .describe('Certificate of this robot, PEM, where the broker wants one; see docs/broker.md. Empty: none.'),
      keyFile: z
        .string()
        .default('')
        .describe('Private key of certFile, PEM. Empty: beside it, NAME.key.pem to NAME.pem.'),
    })
    .prefault({})
    .describe('The way to trainers and operators elsewhere.'),
  record: z
    .boolean()
    .default(true)
    .describe(
      'Record every transition from the start; `h2o-edge record start` and `stop` change it until the next start.',
    ),
  recording: recordingSchema.describe('How much is recorded, and what happens when that is too much.'),
  upload: uploadSchema.describe('How recordings get to a trainer, over the broker.'),
  policyLatencyBudget: z
    .number()
    .min(0.01)
    .max(10)
    .default(0.5)
    .describe('Share of its own period that a policy may take on this machine (p99) to be accepted.'),
  delayCheck: z
    .enum(['refuse', 'warn'])
    .default('refuse')
    .describe(
      'Arming while the delay from sensor to torque does not fit the robot: `refuse` it, or only `warn`, which is for simulators whose time waits for the answer.',
    ),
  policyAllowList: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'must be the id of a policy' }))
    .default([])
    .describe('Ids of the policies that may run; all others are refused. Empty: any that is verified.'),
  realTimePriority: z
    .int()
    .min(0)
    .max(90)
    .default(50)
    .describe(
      'SCHED_FIFO priority that `h2o-edge run` asks for; 0 does not ask. `h2o-edge status` says what is in force.',
    ),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

/** As `configSchema`, with all paths made absolute. */
export type Config = z.output<typeof configSchema>;

/**
 * Loads a configuration file; relative paths in it are relative to its folder.
 * @throws EdgeError `fileUnreadable`, `configInvalid`
 */
export function loadConfig(path: string): Config {
  const config = readYamlFile(path, configSchema, 'configInvalid');
  const here = (relative: string) => resolve(dirname(path), relative);
  return {
    ...config,
    robot: /[/.]/.test(config.robot) ? here(config.robot) : config.robot,
    runtimeDirectory: here(config.runtimeDirectory),
    stateDirectory: here(config.stateDirectory),
    policies: config.policies.map(here),
    trust: here(config.trust),
    stopInputs: config.stopInputs.map((input) => ({ ...input, path: here(input.path) })),
    broker: {
      ...config.broker,
      passwordFile: config.broker.passwordFile && here(config.broker.passwordFile),
      caFile: config.broker.caFile && here(config.broker.caFile),
      certFile: config.broker.certFile && here(config.broker.certFile),
      keyFile: config.broker.keyFile && here(config.broker.keyFile),
    },
  };
}

/** Keys that say which robot this is; all others are better left to the release. */
const OWN_KEYS = ['name', 'robot', 'serial.path'];

/**
 * A configuration to begin with: each key with its meaning and its default. What is not this robot's own is commented out,
 * since a value that was written once would stay when a later release has a better one.
 */
export function commentedDefaults(): string {
  return [
    '# Configuration of one robot for h2o-edge. Every key may be left out; what stands behind a `#` are the defaults.',
    '',
    ...comment(configSchema, configSchema.parse({}), ''),
  ].join('\n');
}

function comment(schema: z.ZodObject, values: Record<string, unknown>, path: string): string[] {
  const indent = '  '.repeat(path.split('.').length - 1);
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const value = values[key];
    const inner = field instanceof z.ZodPrefault ? field.unwrap() : undefined;
    const lines = [`${indent}# ${(field as z.ZodType).description ?? ''}`];
    if (inner instanceof z.ZodObject) {
      return [...lines, `${indent}${key}:`, ...comment(inner, value as Record<string, unknown>, `${path}${key}.`)];
    }
    return [
      ...lines,
      `${indent}${OWN_KEYS.includes(`${path}${key}`) ? '' : '#'}${key}: ${Array.isArray(value) ? JSON.stringify(value) : value === '' ? "''" : String(value)}`,
      '',
    ];
  });
}
