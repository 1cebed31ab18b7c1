import { isWheel } from '../../robot/joints.ts';
import type { Robot } from '../../robot/robot.ts';
import type { ManifestDraft } from '../manifest.ts';
import { observationSize, termWidth } from '../manifest-terms.ts';
import type { PolicyMetadata } from './metadata.ts';
import { observationTable } from './names.ts';
import { narrowTerms, type OpenTerm } from './open-terms.ts';
import type { Overrides } from './overrides.ts';
import { shown } from './shown.ts';
import { type Joint, readJoints } from './their-joints.ts';

export interface PlanInput {
  readonly metadata: PolicyMetadata;
  readonly overrides: Overrides;
  readonly robot: Robot;
  /** numbers that the model takes and gives */
  readonly inputs: number;
  readonly outputs: number;
}

/** How a model from elsewhere is to be run here. */
export interface ImportPlan {
  readonly rate: number;
  readonly observation: ManifestDraft['observation'];
  readonly action: ManifestDraft['action'];
  /** everything that speaks against it, each with its value and what to do; then the rest is not to be used */
  readonly reasons: readonly string[];
  /** what was taken for granted because nothing said otherwise */
  readonly assumed: readonly string[];
}

type ObservationTerm = ManifestDraft['observation']['terms'][number];
type ActionTerm = ManifestDraft['action']['terms'][number];

/** Decisions a second of mjlab's and Isaac Lab's locomotion tasks; taken where nothing says otherwise [Hz]. */
const USUAL_RATE = 50;
/** Three decimals of the exporter, and what a trainer varies gains by. */
const SAME_GAIN = 0.1;
/** The mean of a trained policy goes no further; a larger scale is a mistake somewhere. */
const LARGEST = 1e4;

/** Maps names and numbers of the metadata to terms of a manifest. Pure. */
export function planImport(input: PlanInput): ImportPlan {
  const planner = new Planner(input);
  const rate = planner.rate();
  const observation = planner.observation();
  const action = planner.action();
  return { rate, observation, action, reasons: planner.reasons, assumed: planner.assumed };
}

class Planner {
  readonly reasons: string[] = [];
  readonly assumed: string[] = [];
  readonly #input: PlanInput;
  readonly #joints: readonly Joint[];
  /** those that the actions are of, in their order */
  readonly #acting: readonly Joint[];

  constructor(input: PlanInput) {
    this.#input = input;
    this.#unknownKeys();
    this.#joints = readJoints(input, this);
    const { actionJoints } = input.overrides;
    this.#acting = actionJoints ? this.#named(actionJoints, 'actionJoints of the overrides') : this.#joints;
  }

  rate(): number {
    const { metadata, overrides, robot } = this.#input;
    const stated = overrides.rate ?? metadata.rate;
    if (stated === undefined) this.assumed.push(`rate: ${USUAL_RATE} Hz, as usual; --rate says otherwise`);
    const rate = stated ?? USUAL_RATE;
    const frames = robot.policy.rate / rate;
    if (Math.abs(frames - Math.round(frames)) > 1e-6 || frames < 0.5) {
      this.reasons.push(
        `rate: ${rate} Hz is no whole part of the robot's ${robot.policy.rate} Hz; state the rate that it was trained at with --rate`,
      );
    }
    return rate;
  }

  observation(): ManifestDraft['observation'] {
    const { metadata, overrides, inputs } = this.#input;
    const names = overrides.observationNames ?? metadata.observationNames;
    if (!names) {
      this.reasons.push('observations: the model has no observation_names; state observationNames in --overrides');
      return { terms: [{ name: 'x' }] };
    }
    const narrowed = this.#narrowed(names);
    const terms = names.flatMap((name, at) => this.#observed(name, at, narrowed.includes(at)) ?? []);
    const [first, ...rest] = terms;
    if (!first || terms.length < names.length) return { terms: first ? [first, ...rest] : [{ name: 'x' }] };
    const size = observationSize({ terms, history: 1 });
    if (size !== inputs) {
      const widths = terms.map((term, at) => `${names[at]} ${termWidth(term) * (term.history ?? 1)}`).join(', ');
      this.reasons.push(
        `observations: ${widths} are ${size} numbers together, the model takes ${inputs}; ` +
          'state the joints or the history of the terms that have others under observations in --overrides',
      );
    }
    const keys = terms.map((term) => [term.name, ...(term.joints ?? [])].join(' '));
    const twice = keys.findIndex((key, at) => keys.indexOf(key) !== at);
    if (twice >= 0) this.reasons.push(`observations: ${names[twice]} is the same as another one; leave one out`);
    return { terms: [first, ...rest] };
  }

  action(): ManifestDraft['action'] {
    const { metadata, outputs } = this.#input;
    const nothing: ManifestDraft['action'] = { terms: [{ name: 'wheelTorque', scale: 1 }] };
    const { actionType } = metadata;
    if (actionType !== undefined && !/^joint_pos(ition)?$/.test(actionType)) {
      this.reasons.push(
        `actions: they are said to be ${shown(actionType)}; only targets of joints can be run: train such a policy`,
      );
      return nothing;
    }
    if (this.#acting.length === 0) return nothing;
    if (this.#acting.length !== outputs) {
      this.reasons.push(
        `actions: the model gives ${outputs} numbers for ${this.#acting.length} joints; state actionJoints in --overrides`,
      );
      return nothing;
    }
    const missing = (['wheelLeft', 'wheelRight'] as const).filter(
      (wheel) => !this.#acting.some(({ name }) => name === wheel),
    );
    if (missing.length > 0) {
      this.reasons.push(`actions: nothing commands ${missing.join(' and ')}; this robot stands by its wheels`);
      return nothing;
    }
    const scales = metadata.actionScale;
    if (scales && scales.length !== 1 && scales.length !== outputs) {
      this.reasons.push(
        `actions: action_scale has ${scales.length} numbers for ${outputs} actions; state each scale under actions in --overrides`,
      );
    }
    const terms = this.#acting.flatMap((joint, at) => this.#acted(joint, at) ?? []);
    const [first, ...rest] = terms;
    return first && terms.length === outputs ? { terms: [first, ...rest] } : nothing;
  }

  #unknownKeys(): void {
    const { metadata, overrides } = this.#input;
    const check = (what: string, stated: object, known: readonly string[] = []) => {
      for (const name of Object.keys(stated)) {
        if (known.includes(name)) continue;
        this.reasons.push(
          `overrides: ${what}.${shown(name)} is no name of this model; it has ${known.join(', ') || 'none'}`,
        );
      }
    };
    const joints = overrides.jointNames ?? metadata.jointNames;
    check('joints', overrides.joints, joints);
    check('actions', overrides.actions, joints);
    check('observations', overrides.observations, overrides.observationNames ?? metadata.observationNames);
  }

  #named(names: readonly string[], where: string): readonly Joint[] {
    return names.flatMap((theirs) => {
      const joint = this.#joints.find((one) => one.theirs === theirs);
      if (!joint) this.reasons.push(`joints: ${where} names ${shown(theirs)}, which is not among joint_names`);
      return joint ?? [];
    });
  }

  /** Terms of joints that are of the legs or of the wheels only, since the model takes no more numbers. */
  #narrowed(names: readonly string[]): readonly number[] {
    const { metadata, overrides, inputs } = this.#input;
    const open: OpenTerm[] = [];
    let size = 0;
    for (const [at, name] of names.entries()) {
      const stated = Object.hasOwn(overrides.observations, name) ? overrides.observations[name] : undefined;
      const known = Object.hasOwn(observationTable, name) ? observationTable[name] : undefined;
      const term = stated?.term ?? known?.term;
      if (term === undefined) return [];
      const times = stated?.history ?? Math.max(1, metadata.observationHistories?.[at] ?? 1);
      const joints =
        stated?.joints ??
        (term === 'previousAction' ? this.#acting : this.#jointsAtHand(stated ? undefined : known?.of));
      const byJoint = byJoints.includes(term);
      size += times * (byJoint ? joints.length : termWidth({ name: term }));
      if (term === 'previousAction' || !byJoint || stated?.joints || (!stated && known?.of)) continue;
      open.push({ at, less: times * (joints.length - this.#jointsAtHand(onlyOf(term)).length) });
    }
    const chosen = narrowTerms(open, size, inputs);
    for (const at of chosen) {
      const name = names[at] ?? '';
      const term = overrides.observations[name]?.term ?? observationTable[name]?.term ?? 'jointPosition';
      this.assumed.push(
        `observations: ${names[at]} is of the ${onlyOf(term)} only, or they would be more than ${inputs} numbers`,
      );
    }
    return chosen;
  }

  #jointsAtHand(of: 'legs' | 'wheels' | undefined): readonly Joint[] {
    return of === undefined ? this.#joints : this.#joints.filter(({ name }) => isWheel(name) === (of === 'wheels'));
  }

  #observed(name: string, at: number, narrowed: boolean): ObservationTerm | undefined {
    const { metadata, overrides } = this.#input;
    const stated = Object.hasOwn(overrides.observations, name) ? overrides.observations[name] : undefined;
    const known = Object.hasOwn(observationTable, name) ? observationTable[name] : undefined;
    const term = stated?.term ?? known?.term;
    if (term === undefined) {
      this.reasons.push(
        `observations: ${shown(name)} is nothing that this robot senses or that is known here; ` +
          `say what it is under observations in --overrides, or train without it. Known are: ${Object.keys(observationTable).join(', ')}`,
      );
      return undefined;
    }
    const of = narrowed ? onlyOf(term) : stated ? undefined : known?.of;
    const joints = this.#jointsOf(term, name, stated?.joints, of);
    if (joints?.length === 0) return undefined;
    const width = termWidth({ name: term, joints: joints?.map((joint) => joint.name) });
    const scales = this.#perNumber(name, stated?.scale ?? metadata.observationScales?.[at] ?? 1, width);
    const history = stated?.history ?? this.#history(name, at);
    const clip = stated?.clip ?? this.#clip(name, at, scales);
    if (!scales || clip === 'unfit') return undefined;
    const base = { name: term, ...(history > 1 && { history }), ...(clip && { clip }) };
    if (!joints) return { ...base, scale: compact(scales) };
    const relative = stated?.relative ?? known?.relative ?? false;
    const isPosition = term === 'jointPosition';
    // What the policy answered is in its own coordinate already.
    const signs = joints.map(({ sign }) => (term === 'previousAction' ? 1 : sign));
    const offsets = joints.map(({ sign, zero, byDefault }) =>
      isPosition ? zero + (relative ? sign * byDefault : 0) : 0,
    );
    return {
      ...base,
      joints: joints.map((joint) => joint.name),
      scale: compact(scales.map((scale, index) => scale * (signs[index] ?? 1))),
      offset: compact(offsets),
    };
  }

  #jointsOf(
    term: ObservationTerm['name'],
    name: string,
    stated: readonly string[] | undefined,
    of: 'legs' | 'wheels' | undefined,
  ): readonly Joint[] | undefined {
    if (!byJoints.includes(term)) {
      if (stated) this.reasons.push(`observations: ${shown(name)} is ${term}, which has no joints; leave them out`);
      return undefined;
    }
    if (stated) return this.#named(stated, `observations.${shown(name)} of the overrides`);
    return term === 'previousAction' ? this.#acting : this.#jointsAtHand(of);
  }

  #perNumber(name: string, stated: number | readonly number[], width: number): readonly number[] | undefined {
    const list = typeof stated === 'number' ? [stated] : stated;
    if (list.length === 1) return Array<number>(width).fill(list[0] ?? 1);
    if (list.length === width) return list;
    this.reasons.push(
      `observations: ${shown(name)} has ${width} numbers and ${list.length} scales; state them in --overrides`,
    );
    return undefined;
  }

  #history(name: string, at: number): number {
    const { metadata } = this.#input;
    const length = metadata.observationHistories?.[at] ?? 0;
    if (length === 0) return 1;
    if (!Number.isInteger(length) || length < 0 || length > 64) {
      this.reasons.push(`observations: ${shown(name)} has a history of ${length}; from 1 to 64 can be run`);
    } else if (length > 1 && metadata.historiesAreFlat?.[at] === 0) {
      this.reasons.push(
        `observations: the history of ${shown(name)} is not flat; set flatten_history_dim and export again`,
      );
    }
    return length;
  }

  /** Theirs is of the value before its scale, ours of the one after. */
  #clip(name: string, at: number, scales: readonly number[] | undefined): [number, number] | undefined | 'unfit' {
    const stated = this.#input.metadata.observationClips?.[at];
    if (!stated) return undefined;
    const [low = Number.NaN, high = Number.NaN] = stated;
    if (low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY) return undefined;
    const [scale = 1] = scales ?? [];
    const fits = stated.length === 2 && low < high && scale !== 0 && scales?.every((one) => one === scale);
    if (!fits) {
      this.reasons.push(
        `observations: the clip [${stated.join(', ')}] of ${shown(name)} cannot be run; state it in --overrides`,
      );
      return 'unfit';
    }
    // JSON has no infinity; no reading is so large.
    const [one, other] = [bounded(low * scale), bounded(high * scale)];
    return one < other ? [one, other] : [other, one];
  }

  #acted(joint: Joint, at: number): ActionTerm | undefined {
    const { metadata, overrides } = this.#input;
    const stated = Object.hasOwn(overrides.actions, joint.theirs) ? overrides.actions[joint.theirs] : undefined;
    const kind = stated?.kind ?? this.#kind(joint);
    const scales = metadata.actionScale;
    const scale = stated?.scale ?? (scales?.length === 1 ? scales[0] : scales?.[at]);
    const wrong = (what: string) => {
      this.reasons.push(`actions: ${shown(joint.theirs)} ${what}`);
      return undefined;
    };
    if (kind === undefined) {
      return wrong('is a wheel, and nothing says what its action is; add --wheels velocity or --wheels torque');
    }
    if (isWheel(joint.name) === (kind === 'position')) {
      return wrong(`takes no ${kind}: a wheel takes velocity or torque, a leg joint position; train it so`);
    }
    if (scale === undefined)
      return wrong('has no scale: action_scale is missing; state it under actions in --overrides');
    if (!(Math.abs(scale) <= LARGEST)) return wrong(`has a scale of ${scale}, at most ${LARGEST} is taken`);
    const damping = kind === 'velocity' ? (stated?.damping ?? joint.damping) : undefined;
    if (kind === 'velocity' && !(damping !== undefined && damping > 0)) {
      return wrong(
        `takes a velocity, and its joint_damping is ${damping ?? 'missing'}; state damping under actions in --overrides`,
      );
    }
    if (kind === 'position' && !this.#gainsFit(joint)) return undefined;
    const offset = stated?.offset ?? (kind === 'position' && overrides.defaultOffset ? joint.byDefault : 0);
    const [low, high] = stated?.clip ?? [];
    return {
      name: joint.name,
      kind,
      scale: joint.sign * scale,
      offset: joint.sign * offset + (kind === 'position' ? joint.zero : 0),
      ...(low !== undefined && high !== undefined && { clip: turned(low, high, joint, kind === 'position') }),
      ...(damping !== undefined && { damping }),
    };
  }

  /** A leg takes positions. A wheel without stiffness is servoed to a velocity, without any gain it is given a torque. */
  #kind({ name, stiffness, damping }: Joint): 'position' | 'velocity' | 'torque' | undefined {
    if (!isWheel(name)) return 'position';
    const { wheels } = this.#input.overrides;
    if (wheels !== undefined) return wheels;
    if (stiffness === undefined || damping === undefined) return undefined;
    if (stiffness !== 0) return 'position';
    return damping > 0 ? 'velocity' : undefined;
  }

  #gainsFit({ theirs, stiffness, damping }: Joint): boolean {
    const { overrides, robot } = this.#input;
    if (overrides.gains === 'robot') return true;
    let fit = true;
    for (const [key, unit, trained, own] of [
      ['joint_stiffness', 'N·m/rad', stiffness, robot.legs.stiffness],
      ['joint_damping', 'N·m·s/rad', damping, robot.legs.damping],
    ] as const) {
      if (trained === undefined || Math.abs(trained - own) <= SAME_GAIN * own) continue;
      fit = false;
      this.reasons.push(
        `gains: ${key} of ${shown(theirs)} is ${trained} ${unit}, the legs of ${robot.name} have ${own}; ` +
          'train with those, or add --gains robot if it is to meet other legs than it was trained with',
      );
    }
    return fit;
  }
}

const byJoints: ReadonlyArray<ObservationTerm['name']> = ['jointPosition', 'jointVelocity', 'previousAction'];

/** What a term is of if not of all joints: where a wheel stands says nothing, how fast it turns a lot. */
const onlyOf = (term: ObservationTerm['name']): 'legs' | 'wheels' => (term === 'jointPosition' ? 'legs' : 'wheels');

const bounded = (value: number): number => Math.min(1e9, Math.max(-1e9, value));

/** One number where all are the same. */
function compact(values: readonly number[]): number | number[] {
  const [first = 0] = values;
  return values.every((value) => Object.is(value, first)) ? first : [...values];
}

function turned(low: number, high: number, { sign, zero }: Joint, isPosition: boolean): [number, number] {
  const from = isPosition ? zero : 0;
  return sign === 1 ? [low + from, high + from] : [from - high, from - low];
}
