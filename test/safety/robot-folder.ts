import type { KeyObject } from 'node:crypto';
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

/** A folder with all but the configuration of a control that trusts the shipped bundles and one operator. */
export function makeRobotFolder(): RobotFolder {
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
  return {
    path,
    config: join(path, CONFIG_NAME),
    port: join(path, 'port'),
    controlSocket: join(path, 'run', 'control.sock'),
    stateDirectory: join(path, 'state'),
    operator: operator.privateKey,
    troubleSocket: join(path, 'trouble.sock'),
  };
}

/** A control that is never impatient. */
export function writeConfig(folder: RobotFolder, config: Partial<Config>): void {
  const keys = {
    name: 'robot-of-scenario',
    robot: './wheel-legged.yaml',
    serial: { path: folder.port },
    policies: [join(modelsDirectory, 'policies')],
    realTimePriority: 0,
    // how fast this machine is, and who watches, are not the questions here
    policyLatencyBudget: 10,
    delayCheck: 'warn',
    operatorHeartbeat: 0,
    logLevel: 'warn',
    ...config,
  };
  // JSON is YAML.
  writeFileSync(folder.config, JSON.stringify(keys, null, 2));
}

/** MCU time stands still between two requests; a host that knows its own time only must not take that for a dead port. */
function patient(text: string): string {
  const changed = text.replace(/(sensorSilence: \{ value: )50,/, '$160000,');
  if (changed === text) throw new Error('the robot file states sensorSilence in another way');
  return changed;
}
