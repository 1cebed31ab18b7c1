import { z } from 'zod';
import { type CommandEnvelope, commandPayloadSchema } from '../keys/command.ts';
import { domains } from '../keys/signature.ts';
import { taskNames } from '../robot/tasks/tasks.ts';
import { modeSchema } from './mode.ts';
import { commandSchema, estopStageSchema, refusalSchema } from './requests.ts';
import { CONTROLLER_KINDS } from './row.ts';
import { actionSchema, limitSchema, robotStateSchema } from './states.ts';
import { auditHeadSchema, resetConfirmationSchema, statusSchema } from './status.ts';

/**
 * Payloads of the MQTT topics. What comes to the robot is strict: an unknown key may mean something that this version
 * does not know, and a robot must not half-obey. What leaves it may gain keys; readers skip those that they do not know.
 */

/** Version of the payloads. It is also the `v1` of the topics: another version gets another tree. */
export const MQTT_SCHEMA = 1;

/** Longest payload that the robot looks at, `estop` apart: that one stops at any length [bytes]. */
export const MAX_INBOUND_PAYLOAD = 16 * 1024;

const schema = z.literal(MQTT_SCHEMA).describe('Version of the payload.');
const at = z.number().describe("When it was made [ms since 1970, robot's wall clock].");
/** Chosen by whoever asks, given back with the answer. */
const idSchema = z.union([z.string().max(64), z.number()]);
const id = idSchema.describe('Chosen by the sender; the answer repeats it.');
export type MessageId = z.output<typeof idSchema>;

// --- to the robot ---------------------------------------------------------------------------------------------------

/** What a well-mannered sender puts into a stop. Only for the record: no stop depends on it. */
export const estopMessage = z
  .looseObject({
    source: z.string().max(64).optional().describe('Who stops the robot, for the record.'),
    id: z.string().max(64).optional().describe('Repeated in the `estop-stage` events that answer this stop.'),
  })
  .describe('Any payload stops, also none and also one that is not JSON. Only an empty retained message does not.');

export const challengeRequest = z.strictObject({ schema: schema.optional(), id: id.optional() });
export type ChallengeRequest = z.output<typeof challengeRequest>;

/** What stands in a signed text, for the reader of the documentation: to the gateway it is a string. */
const { $schema: _, ...signedText } = z.toJSONSchema(commandPayloadSchema(commandSchema), { io: 'input' });

const envelope = z
  .strictObject({
    payload: z
      .string()
      .max(4096)
      .meta({ contentMediaType: 'application/json', contentSchema: signedText })
      .describe('The exact text that was signed. It is JSON, in any spacing and order of keys.'),
    keyId: z
      .string()
      .max(64)
      .describe(
        'Which of the trusted keys: the first 16 hexadecimal digits, in lower case, of the sha256 of the 32 bytes of the raw ed25519 public key.',
      ),
    signature: z
      .string()
      .max(256)
      .describe(
        `ed25519 (RFC 8032, without a hash before it) over these bytes: the ASCII text \`${domains.command}\`, one zero byte, \`payload\` in UTF-8. The 64 bytes in base64 with its padding.`,
      ),
  })
  .describe('A signed command. The control process verifies it; the gateway only carries it.');
envelope satisfies z.ZodType<CommandEnvelope>;

const signedCommand = z.strictObject({ schema: schema.optional(), id, envelope });
const unsignedRequest = z.strictObject({
  schema: schema.optional(),
  id,
  request: z.enum(['status', 'disarm']).describe('What needs no signature: looking, and stopping the gentle way.'),
});
export const commandRequest = z.union([signedCommand, unsignedRequest]);
export type CommandRequest = z.output<typeof commandRequest>;

export const heartbeatMessage = z.strictObject({
  schema: schema.optional(),
  session: z.string().min(1).max(64).describe('Session of the signed mode command that set the robot moving.'),
  counter: z.int().nonnegative().describe('Rises with every heartbeat of the session.'),
});
export type HeartbeatMessage = z.output<typeof heartbeatMessage>;

// --- from the robot -------------------------------------------------------------------------------------------------

export const commandResponse = z.discriminatedUnion('ok', [
  z.object({
    schema,
    id: idSchema.nullable().describe('Of the request; null when it had none.'),
    ok: z.literal(true),
    robot: z.string().optional().describe('Answer to `challenge`: name of the robot.'),
    challenge: z.string().optional().describe('Answer to `challenge`: to be repeated in one signed command.'),
    expiresInMs: z.number().optional().describe('Answer to `challenge`: its life [ms].'),
    status: statusSchema.optional().describe('Answer to `status`: all that control knows.'),
  }),
  z.object({
    schema,
    id: idSchema.nullable().describe('Of the request; null when it could not be read.'),
    ok: z.literal(false),
    refusal: refusalSchema.describe('Why not: a stable code, words for people, and what to do.'),
  }),
]);
export type CommandResponse = z.output<typeof commandResponse>;

export const recordingState = z.object({
  on: z.boolean().describe('Rows are being written.'),
  rows: z.number().describe('Rows that are safely on disk since the gateway started.'),
  problem: z.string().describe('Why rows are not written; empty if nothing is wrong.'),
});
export type RecordingState = z.output<typeof recordingState>;

const onlineState = z.object({
  schema,
  online: z.literal(true),
  at,
  robot: z.string().describe('Name of the robot.'),
  model: z.string().describe('What kind of robot it is.'),
  revision: z.string().describe('Version of h2o-edge on the robot.'),
  state: robotStateSchema,
  mode: modeSchema.describe('What was asked for; stays while the failsafe holds the robot back.'),
  reasons: z
    .array(z.object({ id: z.string(), action: actionSchema, says: z.string(), clears: z.string(), remedy: z.string() }))
    .describe('Active conditions of the failsafe table: what is wrong, when it clears, what to do.'),
  limits: z.array(z.string()).describe('What acted on the latest command between request and wire.'),
  estop: z.object({
    latched: z.boolean(),
    source: z.string().describe('Who stopped it.'),
    onDisk: z.boolean().describe('The latch outlives a power cut.'),
    problem: z.string(),
    confirmation: resetConfirmationSchema.describe(
      'Whether somebody on the robot itself has to agree, or has agreed, that a stop is undone; a signature is wanted as well.',
    ),
  }),
  mcu: z.object({
    session: z.string(),
    peer: z.string(),
    state: z.string(),
    faults: z.array(z.string()),
    latchCause: z.string(),
    measuredRate: z.number().nullable().describe('Sensor frames [Hz].'),
  }),
  battery: z.number().nullable().describe('[V]'),
  controllers: z
    .array(z.object({ id: z.string(), task: z.string(), rate: z.number().describe('[Hz]') }))
    .describe('Policies that may be chosen, besides the balancer.'),
  refusedPolicies: z.record(z.string(), z.string()).describe('Policies that were found but not accepted, and why.'),
  recording: recordingState,
  audit: z
    .object({
      head: auditHeadSchema.nullable().describe('The last entry on disk; null if there is none.'),
      problem: z.string().describe('Why entries are not on disk; empty if they are.'),
    })
    .describe(
      "The end of the robot's audit log. Keep it elsewhere: `h2o-edge audit verify --head INDEX:HASH` then tells whether the log was cut.",
    ),
});

const offlineState = z.object({
  schema,
  online: z.literal(false),
  at,
  problem: z.string().describe('Why nothing is known of the robot.'),
});
export type OfflineState = z.output<typeof offlineState>;

export const stateMessage = z.discriminatedUnion('online', [onlineState, offlineState]);
export type StateMessage = z.output<typeof stateMessage>;
export type OnlineState = z.output<typeof onlineState>;

export const eventMessage = z.looseObject({
  schema,
  event: z.string().describe('What happened; further keys depend on it.'),
  at,
});
export type EventMessage = z.output<typeof eventMessage>;

/** How control answers a stop that came over MQTT; it is on `event`, and works when the gateway does not. */
export const estopStageEvent = eventMessage.extend({
  event: z.literal('estop-stage'),
  stage: estopStageSchema,
  source: z.string().describe('Who stopped it.'),
  ids: z.array(z.string()).describe('`id`s of the stops that this answers; many at once in a flood.'),
  onDisk: z.boolean().optional().describe('With `latched`: the latch outlives a power cut.'),
});
export type EstopStageEvent = z.output<typeof estopStageEvent>;

const torque = (says: string) => z.number().nullable().describe(`${says} Total of both wheels [N·m].`);

export const telemetryMessage = z.object({
  schema,
  at: z.number().describe("Arrival of the sensor frame [ms since 1970, robot's wall clock]."),
  mcuTimeUs: z.number().describe("Sampling of the state [µs, motor controller's clock]."),
  sequence: z.number().describe('Number of the sensor frame.'),
  state: z.object({
    x: z.number().nullable().describe('[m]'),
    v: z.number().nullable().describe('[m/s]'),
    pitch: z.number().nullable().describe('[rad], positive leans forward'),
    pitchRate: z.number().nullable().describe('[rad/s]'),
  }),
  torque: z.object({
    requested: torque('What the controller asked for.'),
    commanded: torque('What the guard let through.'),
    applied: torque('What the motor controller reports as applied.'),
    measured: torque('What the motors measured; null where they do not measure.'),
  }),
  limits: z.array(limitSchema).describe('What acted on a command since the telemetry message before.'),
  conditions: z.array(z.string()).describe('Failsafe conditions active since the telemetry message before.'),
  task: z.enum(taskNames),
  controller: z.enum(CONTROLLER_KINDS).describe('Who asked for the torque.'),
  robotState: robotStateSchema,
  latencyUs: z.number().nullable().describe('Slowest answer since the telemetry message before [µs].'),
  battery: z.number().nullable().describe('[V]'),
});
export type TelemetryMessage = z.output<typeof telemetryMessage>;
