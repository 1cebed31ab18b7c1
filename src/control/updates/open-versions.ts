import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { TrustStore } from '../../keys/trust-store.ts';
import type { Config } from '../../messages/config.ts';
import type { Robot } from '../../robot/robot.ts';
import type { LoadedPolicies } from '../controllers/policies.ts';
import { BenchProcess } from './bench.ts';
import { loadVersions } from './load-versions.ts';
import { NO_SLOTS } from './slots.ts';
import { SlotsFile } from './slots-file.ts';
import { VersionStore } from './store.ts';

export interface OpenVersionsParts {
  readonly config: Config;
  readonly robot: Robot;
  readonly trust: TrustStore;
  readonly log: Logger;
  readonly folders: LoadedPolicies;
}

/** What control has kept of policies, made ready before the port is opened; see `PolicyUpdates`. */
export async function openVersions({ config, robot, trust, log, folders }: OpenVersionsParts) {
  const folder = join(config.stateDirectory, 'policies');
  const incoming = join(folder, 'incoming');
  const file = new SlotsFile(join(folder, 'slots.json'));
  const store = new VersionStore(join(folder, 'store'));
  const bench = new BenchProcess();
  const read = file.load();
  const problem = typeof read === 'string' ? read : '';
  if (problem !== '') log.error({ problem }, 'no version of a policy is taken from the store');
  const slots = typeof read === 'string' ? NO_SLOTS : read;
  const loaded = await loadVersions({ config, robot, trust, log, store, slots, folders, now: Date.now() });
  if (problem === '') void file.save(loaded.slots);
  // Making the process later would have to wait until the robot is not armed.
  if (config.broker.url !== '' || existsSync(join(folder, 'store'))) bench.start();
  try {
    mkdirSync(incoming, { recursive: true });
  } catch (error) {
    log.warn({ err: error }, 'there is no folder for policies that come over the broker');
  }
  return {
    ...loaded,
    bench,
    parts: { config, robot, trust, bench, store, file, incoming, wall: Date.now, problem },
  };
}
