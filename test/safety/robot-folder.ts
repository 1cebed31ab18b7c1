import { type KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONFIG_NAME } from '../../src/commands/context.ts';
import { generateKeyPair } from '../../src/keys/key-pair.ts';
import { formatTrustFile, readTrustFile, trustEntry } from '../../src/keys/trust-store.ts';
import type { Config } from '../../src/messages/config.ts';
import { modelsDirectory } from '../../src/robot/robot.ts';

export interface RobotFolder {
  readonly path: string;
  readonly config: string;
  readonly port: string;
  readonly controlSocket: string;
  readonly stateDirectory: string;
  readonly operator: KeyObject;
  /** for the fixture trouble.cjs */
  readonly troubleSocket: string;
}

/** A folder from which a control can be started that trusts the shipped bundles and one operator, and is never impatient. */
export function makeRobotFolder(config: Partial<Config> = {}): RobotFolder {
  const path = mkdtempSync(join(tmpdir(), 'h2o-safety-'));
  const operator = generateKeyPair();
  const trusted = readTrustFile(join(modelsDirectory, 'keys', 'demo-trust.yaml'));
  writeFileSync(
    join(path, 'trust.yaml'),
    formatTrustFile([...trusted, trustEntry(operator.publicKey, 'operator', 'the operator of this scenario')]),
  );
  mkdirSync(join(path, 'state'));
  const robots = join(modelsDirectory, 'robots');
  writeFileSync(join(path, 'wheel-legged.yaml'), patient(readFileSync(join(robots, 'wheel-legged.yaml'), 'utf8')));
  copyFileSync(join(robots, 'wheel-legged.xml'), join(path, 'wheel-legged.xml'));
  const keys = {
    name: 'robot-of-scenario',
    robot: './wheel-legged.yaml',
    serial: { path: join(path, 'port') },
    policies: [join(modelsDirectory, 'policies')],
    realTimePriority: 0,
    // how fast this machine is, and who watches, are not the questions here
    policyLatencyBudget: 10,
    operatorHeartbeat: 0,
    logLevel: 'warn',
    ...config,
  };
  const configPath = join(path, CONFIG_NAME);
  // JSON is YAML.
  writeFileSync(configPath, JSON.stringify(keys, null, 2));
  return {
    path,
    config: configPath,
    port: join(path, 'port'),
    controlSocket: join(path, 'run', 'control.sock'),
    stateDirectory: join(path, 'state'),
    operator: operator.privateKey,
    troubleSocket: join(path, 'trouble.sock'),
  };
}

/** MCU time stands still between two requests; a host that knows its own time only must not take that for a dead port. */
function patient(text: string): string {
  const changed = text.replace(/(sensorSilence: \{ value: )50,/, '$160000,');
  if (changed === text) throw new Error('the robot file states sensorSilence in another way');
  return changed;
}
