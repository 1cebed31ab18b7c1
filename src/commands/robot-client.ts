import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../errors.ts';
import { readPrivateKey } from '../keys/key-pair.ts';
import { accessBroker, accessWarnings, type BrokerAccess } from '../messages/broker-config.ts';
import type { EstopStage, Command as RobotCommand } from '../messages/requests.ts';
import type { Status } from '../messages/status.ts';
import { BrokerClient } from './broker-client.ts';
import { configPath, connectToControl, findConfig, OPERATOR_KEY_NAME, withConfig } from './context.ts';
import { complain } from './output.ts';

/** What can be said to a robot, over its own socket or over a broker: the same words. */
export interface RobotClient {
  status(): Promise<Status>;
  disarm(): Promise<void>;
  command(command: RobotCommand, key: KeyObject): Promise<void>;
  estop(
    source: string,
    reached: (stage: EstopStage) => void,
    patience?: number,
  ): Promise<{ stages: EstopStage[]; onDisk: boolean }>;
  heartbeat(session: string, counter: number): void;
  close(): void;
}

export interface RobotOptions {
  config?: string;
  broker?: string;
  robot?: string;
  username?: string;
  passwordFile?: string;
  caFile?: string;
  certFile?: string;
  certKeyFile?: string;
  key?: string;
}

/** Options of every command that speaks to a running robot: the one of a configuration, or any robot over a broker. */
export const withRobot = (command: Command): Command =>
  withConfig(command)
    .option(
      '--broker <url>',
      'speak over this MQTT broker in place of the local socket, for example mqtt://192.168.1.2',
    )
    .option('--robot <name>', 'with --broker: name of the robot')
    .option('--username <name>', 'with --broker')
    .option('--password-file <file>', 'with --broker')
    .option(
      '--ca-file <file>',
      "with --broker: certificate authority, PEM (default: ca.pem beside the certificate, or the system's)",
    )
    .option('--cert-file <file>', 'with --broker mqtts://…: who you are, PEM, where the broker wants to know')
    .option(
      '--cert-key-file <file>',
      'with --cert-file: its private key (default: beside it, NAME.key.pem to NAME.pem)',
    );

/** For commands that start something. */
export const withKey = (command: Command): Command =>
  command.option('--key <file>', "the operator's private key (default: operator.pem beside the configuration)");

export const speaksOverBroker = (options: RobotOptions): boolean => options.broker !== undefined;

/** @throws EdgeError `notRunning`, `usage` */
export async function connectToRobot(options: RobotOptions): Promise<RobotClient> {
  return speaksOverBroker(options) ? await connectOverBroker(options) : await connectToControl(findConfig(options));
}

/** @throws EdgeError `notRunning`, `usage` */
export async function connectOverBroker(options: RobotOptions): Promise<BrokerClient> {
  const { access, robot } = brokerOf(options);
  return await BrokerClient.connect({ ...access, robot });
}

/** The broker and the robot that the options name. @throws EdgeError `usage`, `certificateInvalid`, `fileUnreadable` */
export function brokerOf(options: RobotOptions): { readonly access: BrokerAccess; readonly robot: string } {
  const { broker: url, robot } = options;
  if (url === undefined || robot === undefined) {
    throw new EdgeError('usage', '--broker and --robot go together', 'name the broker and the robot');
  }
  const access = accessBroker({
    url,
    username: options.username ?? '',
    passwordFile: options.passwordFile ?? '',
    caFile: options.caFile ?? '',
    certFile: options.certFile ?? '',
    keyFile: options.certKeyFile ?? '',
  });
  for (const warning of accessWarnings(access, Date.now())) {
    if (warning.now) throw new EdgeError('certificateInvalid', warning.problem, warning.remedy);
    complain(`h2o-edge: ${warning.problem}\n  → ${warning.remedy}`);
  }
  return { access, robot };
}

/** The operator's key: the one that is named, else the one that `init` put beside the configuration. */
export function operatorKey(options: RobotOptions): KeyObject {
  if (options.key === undefined && speaksOverBroker(options)) {
    throw new EdgeError('usage', 'no key is named', 'add --key FILE; stopping needs no key: `h2o-edge estop`');
  }
  const path = options.key ?? join(dirname(configPath(options)), OPERATOR_KEY_NAME);
  if (!existsSync(path)) {
    const remedy = 'name it with --key; stopping needs no key: `h2o-edge estop`';
    throw new EdgeError('keyInvalid', `there is no operator key at ${path}`, remedy);
  }
  return readPrivateKey(path);
}
