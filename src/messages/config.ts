import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { readYamlFile } from '../yaml-file.ts';

/** Configuration of one robot. Descriptions become the comments of the file that `h2o-edge init` writes. */
export const configSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower case letters, digits and "-", at most 32' })
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
  broker: z
    .strictObject({
      url: z
        .string()
        .regex(/^$|^mqtts?:\/\//, { error: 'must begin with mqtt:// or mqtts://, or be empty' })
        .default('')
        .describe('MQTT 5 broker, for example mqtt://192.168.1.2:1883. Empty: none; everything local works without.'),
      username: z.string().default('').describe('Empty: none.'),
      passwordFile: z.string().default('').describe('File that holds the password. Empty: none.'),
      caFile: z.string().default('').describe("Certificate authority of the broker, PEM. Empty: the system's."),
    })
    .prefault({})
    .describe('The way to trainers and operators elsewhere.'),
  record: z
    .boolean()
    .default(true)
    .describe(
      'Record every transition from the start; `h2o-edge record start` and `stop` change it until the next start.',
    ),
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
    broker: {
      ...config.broker,
      passwordFile: config.broker.passwordFile && here(config.broker.passwordFile),
      caFile: config.broker.caFile && here(config.broker.caFile),
    },
  };
}

/** The default configuration with a comment for each key. */
export function commentedDefaults(): string {
  return [
    '# Configuration of one robot for h2o-edge. Every key may be left out; the values here are the defaults.',
    '',
    ...comment(configSchema, configSchema.parse({}), ''),
  ].join('\n');
}

function comment(schema: z.ZodObject, values: Record<string, unknown>, indent: string): string[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const value = values[key];
    const inner = field instanceof z.ZodPrefault ? field.unwrap() : undefined;
    const lines = [`${indent}# ${(field as z.ZodType).description ?? ''}`];
    if (inner instanceof z.ZodObject) {
      return [...lines, `${indent}${key}:`, ...comment(inner, value as Record<string, unknown>, `${indent}  `)];
    }
    return [
      ...lines,
      `${indent}${key}: ${Array.isArray(value) ? JSON.stringify(value) : value === '' ? "''" : String(value)}`,
      '',
    ];
  });
}
