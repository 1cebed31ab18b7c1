import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { linearController, tuneLinear } from '../../learning/algorithms/linear.ts';
import type { PatientController } from '../../learning/evaluate-policy.ts';
import { createBalancer } from '../../policy/balancer.ts';
import { bundleFiles, sha256 } from '../../policy/bundle.ts';
import { type Manifest, observationSize, parseManifest } from '../../policy/manifest.ts';
import { seesBody } from '../../policy/manifest-terms.ts';
import { Observer } from '../../policy/observation.ts';
import { PolicySession } from '../../policy/runtime.ts';
import { modelReasons } from '../../policy/vet-model.ts';
import type { Robot } from '../../robot/robot.ts';
import type { Task } from '../../robot/tasks/task.ts';
import { WheelLegged } from '../../simulation/environments/wheel-legged.ts';

/** Who is evaluated: how often it decides and how. */
export interface Contestant {
  readonly algorithm: string;
  /** decisions a second [Hz] */
  readonly rate: number;
  /** @param applied of the environment: the action that really acted last */
  controller(applied: Float32Array): PatientController;
  release(): Promise<void>;
}

export interface Ground {
  readonly robot: Robot;
  readonly task: Task;
}

/** Names that stand for a reference in place of a folder. */
export const references = { balancer: balancerReference, linear: linearReference } as const;

/**
 * A bundle's manifest and model. It need not be signed to be evaluated; its model must be one that a robot would run.
 * @throws EdgeError `fileUnreadable`, `bundleInvalid`
 */
export function readBundle(folder: string): { readonly manifest: Manifest; readonly model: Uint8Array } {
  const read = (name: string): Buffer => {
    try {
      return readFileSync(join(folder, name));
    } catch (error) {
      throw new EdgeError(
        'fileUnreadable',
        `cannot read ${join(folder, name)}: ${messageOf(error)}`,
        'name the folder of a policy, or a reference: balancer, linear',
      );
    }
  };
  const parsed = parseManifest(read(bundleFiles.manifest.name).toString());
  const model = read(bundleFiles.model.name);
  const reasons = parsed.ok
    ? [
        ...(sha256(model) === parsed.manifest.model.sha256 ? [] : ['model: its sha256 is not the one in the manifest']),
        ...modelReasons(model, parsed.manifest),
      ]
    : parsed.problems.map((problem) => `manifest: ${problem}`);
  if (!parsed.ok || reasons.length > 0) {
    throw new EdgeError('bundleInvalid', `${folder}:\n  ${reasons.join('\n  ')}`, 'each reason says what to mend');
  }
  return { manifest: parsed.manifest, model };
}

/** A policy as the robot runs it: the observation by its manifest's terms, the action by its scale. */
export async function bundleContestant(
  { manifest, model }: ReturnType<typeof readBundle>,
  { robot, task }: Ground,
): Promise<Contestant> {
  const { observation, action, rate, algorithm } = manifest;
  const [{ name, scale }] = action.terms;
  if (seesBody(observation) || name !== 'wheelTorque') {
    throw new EdgeError(
      'usage',
      `${manifest.id} ${name === 'wheelTorque' ? 'sees more than the task’s state' : `commands ${name}`}; evaluated are policies of the paper's tasks: x, v, pitch, pitchRate in, wheelTorque out`,
      'try it on the twin as the robot runs it: h2o-edge robot-sim, h2o-edge run, h2o-edge mode',
    );
  }
  const session = await PolicySession.open(model, observationSize(observation), action.terms.length);
  const observer = new Observer(observation);
  return {
    algorithm,
    rate,
    release: () => session.release(),
    controller: (applied) => ({
      reset: () => observer.reset(),
      async act([x = Number.NaN, v = Number.NaN, pitch = Number.NaN, pitchRate = Number.NaN], out) {
        const previousAction = ((applied[0] ?? 0) * robot.policy.torqueScale) / scale;
        const { targetVelocity } = task;
        const vector = observer.observe({ x, v, pitch, pitchRate, targetVelocity, previousAction });
        const [wanted = Number.NaN] = await session.run(vector);
        out[0] = (Math.min(1, Math.max(-1, wanted)) * scale) / robot.policy.torqueScale;
      },
    }),
  };
}

/** Farther than this from one decision to the next x does not roll: its origin was set anew [m]. */
const ORIGIN_JUMP = 0.1;

/** The built-in balancer at the sensors' rate. */
async function balancerReference({ robot, task }: Ground): Promise<Contestant> {
  const { rate, torqueScale } = robot.policy;
  const balancer = createBalancer(robot, rate);
  return {
    algorithm: 'balancer',
    rate,
    release: async () => undefined,
    controller: (applied) => {
      let [before, origin] = [0, 0];
      return {
        reset: () => {
          balancer.reset();
          before = 0;
          origin = 0;
        },
        act([x = Number.NaN, v = Number.NaN, pitch = Number.NaN, pitchRate = Number.NaN], out) {
          // The balancer wants an x that counts on; the task's begins anew with each episode.
          if (Math.abs(x - before) > ORIGIN_JUMP) origin += before - x;
          before = x;
          const request = { targetVelocity: task.targetVelocity, sentTorque: (applied[0] ?? 0) * torqueScale };
          out[0] = balancer.act({ x: x + origin, v, pitch, pitchRate }, request) / torqueScale;
        },
      };
    },
  };
}

/** Decisions a second of the linear law, as the policies that it is a mark for [Hz]. */
const LINEAR_RATE = 50;

/** The linear law of five numbers, tuned in the ideal simulator alone, with a seed that is always the same. */
async function linearReference({ robot, task }: Ground): Promise<Contestant> {
  const environment = await WheelLegged.create({
    robot,
    task,
    dynamics: 'simulator',
    hold: Math.round(robot.policy.rate / LINEAR_RATE),
  });
  try {
    const law = tuneLinear({ environment, seed: 1, decisions: 250 });
    return {
      algorithm: 'linear',
      rate: LINEAR_RATE,
      release: async () => undefined,
      controller: () => linearController(law),
    };
  } finally {
    environment.delete();
  }
}
