import type { Logger } from 'pino';
import { AuditFiles } from '../audit/audit-files.ts';
import { AuditLog } from '../audit/audit-log.ts';
import type { TrustStore } from '../keys/trust-store.ts';
import type { Config } from '../messages/config.ts';
import type { EstopStage } from '../messages/requests.ts';
import type { Robot } from '../robot/robot.ts';
import { AuditTrail } from './audit-trail.ts';
import type { PolicyRunner } from './controllers/policy-runner.ts';
import type { McuSession } from './mcu/mcu-session.ts';
import type { EstopLatch } from './stopping/estop-latch.ts';

export interface AuditParts {
  readonly config: Config;
  readonly log: Logger;
  /** of this run of control */
  readonly boot: bigint;
  /** monotonic [ms] */
  readonly nowMs: () => number;
  readonly latch: EstopLatch;
}

const hex = (number: bigint): string => number.toString(16).padStart(16, '0');

/** The audit log of this run, and who puts events into it. Never waits for the disk. */
export function startAudit({ config, log, boot, nowMs, latch }: AuditParts): { auditLog: AuditLog; trail: AuditTrail } {
  const auditLog = new AuditLog({
    files: new AuditFiles(config.stateDirectory),
    boot: hex(boot),
    now: nowMs,
    wall: Date.now,
    keepBytes: config.audit.keepMegabytes * 1e6,
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    onProblem: (problem) => {
      if (problem === '') return log.info('the audit log is written again');
      log.warn({ problem }, 'the audit log cannot be written');
      // It lies on the same disk as the latch: a stop might not outlive a power cut either.
      void latch.probe();
    },
  });
  const trail = new AuditTrail(auditLog, nowMs);
  trail.start();
  return { auditLog, trail };
}

export interface StartFacts {
  readonly config: Config;
  readonly revision: string;
  readonly robot: Robot;
  readonly latch: EstopLatch;
  readonly trust: TrustStore;
  readonly policies: ReadonlyMap<string, PolicyRunner>;
  readonly refused: ReadonlyMap<string, string>;
}

/** With what control began: whom it trusts, what was latched, which policies may run. */
export function tellStart(trail: AuditTrail, start: StartFacts): void {
  const { config, revision, robot, latch, trust, policies, refused } = start;
  trail.take({
    event: 'control-start',
    revision,
    name: config.name,
    robot: robot.name,
    pid: process.pid,
    latched: latch.latched,
    source: latch.source,
    operators: [...trust.keys.values()].filter(({ role }) => role === 'operator').map(({ id }) => id),
    confirmation: config.resetConfirmation,
  });
  for (const [id, { task, hash }] of policies) {
    trail.take({ event: 'policy-loaded', id, task, sha256: hex(hash) });
  }
  for (const [id, reason] of refused) trail.take({ event: 'policy-refused', id, reason });
}

/** How far a stop has come: nobody asked, so it is not told to anybody else. */
export function tellStages(stop: unknown, trail: AuditTrail, latch: EstopLatch, session: McuSession): void {
  const tell = (stage: EstopStage, more: object = {}) => trail.take({ event: 'estop-stage', stop, stage, ...more });
  void latch.persisted().then((onDisk) => tell('latched', onDisk ? { onDisk } : { onDisk, problem: latch.problem }));
  void session.nextEstopEcho.then(() => tell('confirmed'));
}
