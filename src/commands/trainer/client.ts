import { randomBytes, randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { EdgeError } from '../../errors.ts';
import { accessBroker, type BrokerAccess, LEAST_TLS } from '../../messages/broker-config.ts';
import { brokerTrouble } from '../../messages/broker-trouble.ts';
import {
  MQTT_SCHEMA,
  parsePayload,
  type TrainerResult,
  type TrainerState,
  trainerOrder,
  trainerResponse,
  trainerResult,
  trainerState,
  trainerTopic,
} from '../../messages/mqtt.ts';
import { say, sayJson } from '../output.ts';
import type { TrainerOptions } from '../trainer.ts';
import { findTrainerConfig } from './run.ts';

/** How long a trainer may take to answer, and a retained message to come [ms]. */
const ANSWER_TIMEOUT = 10_000;
const RETAINED_TIMEOUT = 2000;

interface Where {
  readonly access: BrokerAccess;
  readonly trainer: string;
}

function whereOf(options: TrainerOptions): Where {
  const { broker: url, trainer } = options;
  if (url === undefined && trainer === undefined) {
    const config = findTrainerConfig(options);
    return { access: accessBroker(config.broker), trainer: config.id };
  }
  if (url === undefined || trainer === undefined) {
    throw new EdgeError('usage', '--broker and --trainer go together', 'name both, or a configuration with --config');
  }
  trainerTopic(trainer, 'trainerState');
  const none = { username: '', passwordFile: '', caFile: '', certFile: '', keyFile: '' };
  return { access: accessBroker({ url, ...none }), trainer };
}

async function connect({ access }: Where): Promise<MqttClient> {
  const { url, username, password, ca, cert, key } = access;
  try {
    return await connectAsync(url, {
      protocolVersion: 5,
      clientId: `h2o-client-${randomBytes(6).toString('hex')}`,
      connectTimeout: 5000,
      reconnectPeriod: 0,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...LEAST_TLS,
    });
  } catch (error) {
    const { problem, remedy } = brokerTrouble(error, access);
    throw new EdgeError('notRunning', `the broker ${url} does not answer: ${problem}`, remedy);
  }
}

/** The first message on a topic, after something was done; `undefined` when none comes. */
function first(
  client: MqttClient,
  on: string,
  patience: number,
  then: () => void = () => {},
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), patience);
    client.on('message', (topic, payload) => {
      if (topic !== on) return;
      clearTimeout(timer);
      resolve(payload);
    });
    client.subscribeAsync(on, { qos: 1 }).then(then, (error: unknown) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** Gives an order and tells the answer. @throws EdgeError `requestRefused`, `noAnswer`, `notRunning`, `usage` */
export async function giveOrder(options: TrainerOptions, words: object): Promise<void> {
  const id = randomUUID();
  const order = { schema: MQTT_SCHEMA, id, ...words };
  const wrong = trainerOrder.safeParse(order);
  if (!wrong.success) {
    const [issue] = wrong.error.issues;
    throw new EdgeError('usage', `${issue?.path.join('.')}: ${issue?.message}`, 'see h2o-edge trainer --help');
  }
  const where = whereOf(options);
  const client = await connect(where);
  try {
    const responseTopic = `${trainerTopic(where.trainer, 'trainerResponse')}/${id}`;
    const properties = { responseTopic, messageExpiryInterval: ANSWER_TIMEOUT / 1000 };
    const payload = await first(client, responseTopic, ANSWER_TIMEOUT, () => {
      client.publish(
        trainerTopic(where.trainer, 'trainerOrder'),
        JSON.stringify(order),
        { qos: 1, properties },
        () => {},
      );
    });
    const answer = payload && parsePayload(trainerResponse, payload);
    if (!answer?.ok) {
      throw new EdgeError(
        'noAnswer',
        `the trainer "${where.trainer}" does not answer`,
        'look whether it runs: h2o-edge trainer status',
      );
    }
    if (!answer.message.ok) {
      const { message, remedy } = answer.message.refusal;
      throw new EdgeError('requestRefused', message, remedy);
    }
    if (options.json) sayJson({ ok: true, says: answer.message.says });
    else say(answer.message.says);
  } finally {
    client.end(true);
  }
}

/** Tells what a trainer has published of itself. @throws EdgeError `notRunning`, `usage` */
export async function showStatus(options: TrainerOptions): Promise<void> {
  const where = whereOf(options);
  const client = await connect(where);
  try {
    const stateBytes = await first(client, trainerTopic(where.trainer, 'trainerState'), RETAINED_TIMEOUT);
    const resultBytes = await first(client, trainerTopic(where.trainer, 'trainerResult'), stateBytes ? 300 : 1);
    const state = stateBytes && parsePayload(trainerState, stateBytes);
    const result = resultBytes && parsePayload(trainerResult, resultBytes);
    if (!state?.ok) {
      throw new EdgeError(
        'notRunning',
        `a trainer "${where.trainer}" has never been at this broker`,
        'check its id, and whether it runs',
      );
    }
    const last = result?.ok ? result.message : null;
    if (options.json) sayJson({ ...state.message, last });
    else for (const line of describe(state.message, last)) say(line);
  } finally {
    client.end(true);
  }
}

function describe(state: TrainerState, last: TrainerResult | null): string[] {
  const lines: string[] = [];
  if (!state.online) lines.push(`offline: ${state.problem}`);
  else {
    const { job } = state;
    lines.push(`${state.trainer} (${state.revision})${state.problem === '' ? '' : `: ${state.problem}`}`);
    lines.push(
      job
        ? `job ${job.id}: ${job.algorithm}, ${job.stage}, step ${job.step}${job.steps === null ? '' : ` of ${job.steps}`}, attempt ${job.attempt}, to be ${job.policy.id} version ${job.policy.version}`
        : 'no job',
    );
    for (const { task, cause, problem } of state.queue) {
      lines.push(`next: ${task} (${cause})${problem === '' ? '' : `: ${problem}`}`);
    }
    for (const { task, rows, segments, newRows, wantsRows } of state.stock) {
      const more = wantsRows > 0 ? `, ${wantsRows} more until it is trained` : '';
      lines.push(`${task}: ${rows} rows in ${segments} segments, ${newRows} new${more}`);
    }
    for (const { id, version, robots } of state.offers) {
      lines.push(`on offer: ${id} version ${version}`);
      for (const { robot, stage, reasons, chunksSent } of robots) {
        lines.push(
          `  ${robot}: ${stage}, ${chunksSent} chunks sent${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
        );
      }
    }
    for (const { what, why } of state.refusals.slice(0, 3)) lines.push(`refused ${what}: ${why}`);
  }
  if (last) {
    const what = last.policy ? `, ${last.policy.id} version ${last.policy.version}` : '';
    lines.push(`last: ${last.job}: ${last.outcome}${what}${last.reason === '' ? '' : `: ${last.reason}`}`);
  }
  return lines;
}
