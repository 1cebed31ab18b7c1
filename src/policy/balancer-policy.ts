import type { Robot } from '../robot/robot.ts';
import type { Task } from '../robot/tasks/task.ts';
import { frictionTorque } from './balancer.ts';
import { designBalancer } from './balancer-design.ts';
import type { ManifestDraft } from './manifest.ts';
import { buildLinearPolicy, type LinearPolicy } from './onnx-linear.ts';
import { goldenPairs } from './runtime.ts';

/** A policy ready to be signed; see `writeBundle`. */
export interface PolicyDraft {
  readonly draft: ManifestDraft;
  readonly model: Uint8Array;
  /** what the model computes before its clip, for whoever wants to check it */
  readonly law: LinearPolicy;
}

/** One number that the law feeds back: u = −gain · term. */
interface FedBack {
  readonly gain: number;
  readonly term: ManifestDraft['observation']['terms'][number];
}

/**
 * The balancer's linear law as a policy bundle, without the integral and the ramp: only what a function of one observation
 * can be. Where the task travels, x is left out and the speed kept with a constant against the dry friction.
 */
export async function balancerPolicy(task: Task, robot: Robot): Promise<PolicyDraft> {
  const position = !task.originResetsEachEpisode;
  const { rate, torqueScale } = robot.policy;
  const { gains, scale } = designBalancer(robot, rate, { position, integral: false });

  // previousAction is the torque on its way. Longer delays than one period would need more history of it.
  const onTheWay = gains.onTheWay.at(-1) ?? 0;
  const fedBack: readonly FedBack[] = [
    // Far from its place it comes back at the pace of the clip, rather than at all cost.
    ...(position ? [{ gain: gains.x, term: { name: 'x', clip: [-scale.x, scale.x] } } as FedBack] : []),
    { gain: gains.v, term: { name: 'v', offset: task.targetVelocity } },
    { gain: gains.pitch, term: { name: 'pitch' } },
    { gain: gains.pitchRate, term: { name: 'pitchRate' } },
    { gain: onTheWay * torqueScale, term: { name: 'previousAction' } },
  ];
  // To roll on at a steady torque takes (1 + onTheWay) times as much, since the law subtracts what it sees on its way.
  const steady = frictionTorque(robot, task.targetVelocity) * (1 + onTheWay);
  const law = {
    weights: [fedBack.map(({ gain }) => -gain / torqueScale)],
    bias: [steady / torqueScale],
  };
  const model = buildLinearPolicy(law);

  const pairs = await goldenPairs(model, 1, probes(fedBack.length));
  const draft: ManifestDraft = {
    format: 1,
    id: `${task.name}-balancer`,
    version: 1,
    task: task.name,
    robot: robot.name,
    description:
      'The built-in balancer’s linear law (LQR of the robot file’s pendulum) exported to ONNX. Not a learned policy: ' +
      'something to try the way of a bundle with, and a mark for learned ones to beat.',
    algorithm: 'lqr',
    rate,
    observation: { terms: fedBack.map(({ term }) => term), history: 1 },
    action: { terms: [{ name: 'wheelTorque', scale: torqueScale }] },
    training: null,
    // Fixed, so that the same robot file gives the same bytes.
    created: '2026-01-01T00:00:00Z',
    expires: '2036-01-01T00:00:00Z',
    golden: {
      tolerance: 1e-5,
      pairs: pairs.map(({ observation, action }) => ({ observation, action: action.map(rounded) })),
    },
  };
  return { draft, model, law };
}

/** Another processor's last bit must not show: the same robot file gives the same manifest everywhere. */
const rounded = (value: number): number => Number(value.toFixed(6));

/** Observations that try each term alone, both ways, all together, and the clip. */
function probes(size: number): number[][] {
  const unit = (at: number, value: number) => Array.from({ length: size }, (_, index) => (index === at ? value : 0));
  const singles = Array.from({ length: size }, (_, index) => [unit(index, 0.03125), unit(index, -0.03125)]);
  return [unit(0, 0), ...singles.flat(), Array<number>(size).fill(0.0078125), Array<number>(size).fill(1)];
}
