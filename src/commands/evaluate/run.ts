import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../../errors.ts';
import { evaluatePolicy, type PatientController } from '../../learning/evaluate-policy.ts';
import type { Evaluation } from '../../learning/evaluation.ts';
import { ABOUT } from '../../learning/training/write-policies.ts';
import { bundleFiles } from '../../policy/bundle.ts';
import { PolicySession } from '../../policy/runtime.ts';
import { loadRobot } from '../../robot/robot.ts';
import { taskByName } from '../../robot/tasks/tasks.ts';
import { HalfCheetah } from '../../simulation/environments/half-cheetah.ts';
import { WheelLegged } from '../../simulation/environments/wheel-legged.ts';
import type { EvaluateOptions } from '../evaluate.ts';
import { say, sayJson } from '../output.ts';
import { bundleContestant, readBundle, references } from './contestants.ts';

export async function evaluateBundle(bundle: string, options: EvaluateOptions): Promise<void> {
  const gaps = (options.gap ?? []).filter((name) => name !== 'none');
  const result =
    options.environment === 'wheel-legged'
      ? await onRobot(bundle, gaps, options)
      : await onCheetah(bundle, gaps, options);
  if (options.json) sayJson(result);
  else tell(result);
}

type Result = Omit<Evaluation, 'runs'> & { readonly task: string; readonly algorithm: string };

async function onRobot(bundle: string, gaps: readonly string[], options: EvaluateOptions): Promise<Result> {
  const robot = loadRobot(options.robot);
  const reference = Object.hasOwn(references, bundle) ? references[bundle as keyof typeof references] : undefined;
  const read = reference ? undefined : readBundle(bundle);
  const wanted = options.task ?? read?.manifest.task;
  if (wanted === undefined) {
    throw new EdgeError(
      'usage',
      `${bundle} has no task of its own`,
      'add --task standing-still or --task moving-straight',
    );
  }
  const task = taskByName(wanted);
  if (read && read.manifest.robot !== robot.name) {
    throw new EdgeError(
      'bundleInvalid',
      `${bundle} is made for "${read.manifest.robot}", this is "${robot.name}"`,
      'name its robot file with --robot',
    );
  }
  const hold = robot.policy.rate / (read?.manifest.rate ?? robot.policy.rate);
  if (!Number.isInteger(hold)) {
    throw new EdgeError(
      'bundleInvalid',
      `${bundle} decides at ${read?.manifest.rate} Hz, which does not divide the robot's ${robot.policy.rate} Hz`,
      'train it at a rate that does',
    );
  }
  const contestant = reference
    ? await reference({ robot, task })
    : await bundleContestant(read ?? readBundle(bundle), { robot, task });
  const environment = await WheelLegged.create({
    robot,
    task,
    dynamics: options.dynamics,
    gaps,
    hold: Math.round(robot.policy.rate / contestant.rate),
  });
  try {
    const { runs: _, ...results } = await evaluatePolicy(environment, contestant.controller(environment.applied), {
      seeds: options.seeds,
      seconds: options.seconds,
    });
    return { task: task.name, algorithm: contestant.algorithm, ...results };
  } finally {
    environment.delete();
    await contestant.release();
  }
}

/** A policy of HalfCheetah is a model alone. */
async function onCheetah(bundle: string, gaps: readonly string[], options: EvaluateOptions): Promise<Result> {
  const environment = await HalfCheetah.create({ gaps });
  let model: Buffer;
  try {
    model = readFileSync(join(bundle, bundleFiles.model.name));
  } catch (error) {
    environment.delete();
    throw new EdgeError('fileUnreadable', `cannot read a policy in ${bundle}: ${messageOf(error)}`, 'name its folder');
  }
  const session = await PolicySession.open(model, environment.observationSize, environment.actionSize);
  const controller: PatientController = {
    async act(observation, action) {
      action.set(await session.run(observation));
    },
  };
  try {
    const { runs: _, ...results } = await evaluatePolicy(environment, controller, {
      seeds: options.seeds,
      start: 'spread',
    });
    return { task: environment.name, algorithm: algorithmOf(bundle), ...results };
  } finally {
    environment.delete();
    await session.release();
  }
}

/** As its training has left word; a model from elsewhere has none. */
function algorithmOf(folder: string): string {
  try {
    const about: unknown = JSON.parse(readFileSync(join(folder, ABOUT), 'utf8'));
    const algorithm = typeof about === 'object' && about !== null && 'algorithm' in about ? about.algorithm : undefined;
    return typeof algorithm === 'string' ? algorithm : 'unknown';
  } catch {
    return 'unknown';
  }
}

function tell({ task, algorithm, episodes, meanReturn, survivalSeconds, ...rest }: Result): void {
  say(
    `${algorithm} on ${task}, ${episodes} episodes: mean return ${meanReturn.toFixed(1)} (first 1000 control periods)`,
  );
  if (!survivalSeconds) return;
  const { maxAbsX = 0, rmsSpeedError = 0, rmsPitch = 0, rmsTorque = 0 } = rest;
  say(`stood ${survivalSeconds.mean.toFixed(2)} s on average, ${survivalSeconds.min.toFixed(2)} s at least`);
  say(`farthest ${maxAbsX.toFixed(3)} m from its place; speed off by ${rmsSpeedError.toFixed(3)} m/s (rms)`);
  say(`pitch ${rmsPitch.toFixed(4)} rad (rms), torque ${rmsTorque.toFixed(3)} N·m (rms)`);
}
