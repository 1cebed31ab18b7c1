import { open, rm, stat, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { bundleFolders } from '../../control/controllers/policies.ts';
import { EdgeError, messageOf } from '../../errors.ts';
import { loadTrustStore } from '../../keys/trust-store.ts';
import { accessWarnings, type BrokerAccess, brokerAccess, LEAST_TLS } from '../../messages/broker-config.ts';
import { brokerTrouble, isSecure } from '../../messages/broker-trouble.ts';
import type { Config } from '../../messages/config.ts';
import { vetBundle } from '../../policy/vet.ts';
import type { Robot } from '../../robot/robot.ts';
import { type Finding, fail, pass, warn } from './finding.ts';

const TRIALS = 100;
/** Recorded rows wait for as long as a sync takes; a chunk is closed every 250 ms [ms]. */
const SLOW_SYNC = 100;

/** The disk under the state: room, and how long it takes to be sure of a write. */
export async function diskFindings({ stateDirectory, recording }: Config): Promise<Finding[]> {
  const trial = join(stateDirectory, `doctor-${process.pid}.trial`);
  try {
    const { bavail, bsize } = await statfs(stateDirectory);
    const free = Math.floor((bavail * bsize) / 1e6);
    const room = `${free} MB are free`;
    const file = await open(trial, 'wx', 0o600);
    const times: number[] = [];
    try {
      for (let count = 0; count < TRIALS; count += 1) {
        await file.write(Buffer.alloc(4096, count));
        const began = performance.now();
        await file.datasync();
        times.push(performance.now() - began);
      }
    } finally {
      await file.close();
      await rm(trial, { force: true });
    }
    const p99 = times.sort((a, b) => a - b)[Math.ceil(0.99 * TRIALS) - 1] ?? Number.NaN;
    const sync = `fdatasync takes ${p99.toFixed(1)} ms (p99 of ${TRIALS})`;
    return [
      free > recording.leaveFreeMegabytes + 100
        ? pass('disk-space', room)
        : fail(
            'disk-space',
            `only ${room}`,
            'h2o-edge dataset list; move recordings elsewhere, or set recording.maxMegabytes',
          ),
      p99 <= SLOW_SYNC ? pass('disk-sync', sync) : warn('disk-sync', sync, 'put stateDirectory on a faster disk'),
    ];
  } catch (error) {
    const remedy = 'sudo -u h2o-control h2o-edge doctor; control makes the folder when it is started first';
    const isLater = error instanceof Error && 'code' in error && ['EACCES', 'ENOENT'].includes(String(error.code));
    const problem = `${stateDirectory}: ${messageOf(error)}`;
    return [isLater ? warn('disk', problem, remedy) : fail('disk', problem, remedy)];
  }
}

/** How long a broker may take to accept a connection [ms]. */
const PATIENCE = 3000;

export async function brokerFindings(config: Config): Promise<Finding[]> {
  if (config.broker.url === '') return [pass('broker', 'none is configured; everything local works without')];
  try {
    const access = brokerAccess(config);
    if (!access) return [];
    const found = accessWarnings(access, Date.now(), config.name).map(({ problem, remedy, now }) =>
      (now ? fail : warn)('certificate', problem, remedy),
    );
    return [
      await reachable(access),
      ...found,
      ...(found.length === 0 && access.cert ? [pass('certificate', 'valid')] : []),
    ];
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return [fail('broker', error.message, error.remedy)];
  }
}

function reachable(access: BrokerAccess): Promise<Finding> {
  const { hostname, port } = new URL(access.url);
  const secure = isSecure(access.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const where = { host, port: Number(port) || (secure ? 8883 : 1883) };
  return new Promise((resolve) => {
    const { ca, cert, key } = access;
    const socket = secure
      ? connectTls({ ...where, ...LEAST_TLS, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
      : connect(where);
    const end = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    socket.setTimeout(PATIENCE, () =>
      end(fail('broker', `${access.url} does not answer`, 'is a broker running there?')),
    );
    socket.once(secure ? 'secureConnect' : 'connect', () => end(pass('broker', `${access.url} accepts connections`)));
    socket.on('error', (error) => {
      const { problem, remedy } = brokerTrouble(error, access);
      end(fail('broker', problem, remedy));
    });
  });
}

/** Who may give orders here, and which policies may run. */
export async function trustFindings(config: Config, robot: Robot): Promise<Finding[]> {
  try {
    const trust = loadTrustStore(config.trust);
    const names = (role: string) => [...trust.keys.values()].filter((key) => key.role === role).length;
    const findings = [
      names('operator') > 0
        ? pass('keys', `${names('operator')} operator's and ${names('release')} release keys are trusted`)
        : fail('keys', 'no operator is trusted, so nobody can arm', 'h2o-edge keys trust FILE.pub --role operator'),
    ];
    for (const folder of config.policies) {
      if (!(await stat(folder).catch(() => undefined))) {
        findings.push(pass('policies', `${folder} is not there; the balancer is built in`));
      }
    }
    for (const folder of bundleFolders(config.policies)) {
      const { ok, id, reasons } = await vetBundle(folder, { robot, trust, now: Date.now() });
      findings.push(
        ok
          ? pass('policy', `${id} may run here`)
          : warn('policy', `${id}: ${reasons.join('; ')}`, `h2o-edge policy verify ${folder}`),
      );
    }
    return findings;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return [fail('keys', error.message, error.remedy)];
  }
}
