import type { OnnxEntry } from '../onnx-format.ts';
import { shown } from './shown.ts';

/** What the exporter wrote into the model about it, as far as it is understood. Nothing of it is true for being there. */
export interface PolicyMetadata {
  readonly observationNames?: readonly string[] | undefined;
  /** for each term one factor, or one for each of its numbers */
  readonly observationScales?: readonly (readonly number[])[] | undefined;
  /** for each term [low, high], infinite where there is none */
  readonly observationClips?: readonly (readonly number[])[] | undefined;
  readonly observationHistories?: readonly number[] | undefined;
  readonly historiesAreFlat?: readonly number[] | undefined;
  readonly jointNames?: readonly string[] | undefined;
  /** one for all actions, or one for each */
  readonly actionScale?: readonly number[] | undefined;
  readonly defaultJointPos?: readonly number[] | undefined;
  readonly jointStiffness?: readonly number[] | undefined;
  readonly jointDamping?: readonly number[] | undefined;
  readonly commandNames?: readonly string[] | undefined;
  /** decisions a second [Hz] */
  readonly rate?: number | undefined;
  /** what the actions are, where that is not said to be joint positions */
  readonly actionType?: string | undefined;
  readonly runPath?: string | undefined;
}

/** Longest value that is looked at [characters], and most items of a list. */
const LONGEST = 16_384;
const MOST_ITEMS = 256;
const plainName = /^[A-Za-z0-9_.:/-]{1,64}$/;

/** Why a value is not taken. */
class Unfit {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

/**
 * Reads the properties of a model. A key that nobody knows is left alone: models carry all sorts. One that is known and makes
 * no sense, or stands there twice, is a reason against the model.
 */
export function readMetadata(entries: readonly OnnxEntry[]): { metadata: PolicyMetadata; reasons: readonly string[] } {
  const values = new Map<string, string>();
  const reasons: string[] = [];
  for (const { key, value } of entries) {
    if (!knownKeys.has(key)) continue;
    if (values.has(key)) reasons.push(`metadata: ${key} stands there twice; export the model again`);
    values.set(key, value);
  }
  const read = <T>(key: string, parse: (value: string) => T | Unfit): T | undefined => {
    const value = values.get(key);
    if (value === undefined) return undefined;
    const parsed = value.length > LONGEST ? new Unfit(`has ${value.length} characters`) : parse(value);
    if (!(parsed instanceof Unfit)) return parsed;
    reasons.push(`metadata: ${key} ${shown(value)} ${parsed.why}; export the model again`);
    return undefined;
  };
  const [controlHz, stepDt] = [read('control_hz', positive), read('step_dt', positive)];
  const [timestep, decimation] = [read('timestep', positive), read('decimation', positive)];
  const fromSteps = timestep !== undefined && decimation !== undefined ? 1 / (timestep * decimation) : undefined;
  const rate = controlHz ?? (stepDt === undefined ? fromSteps : 1 / stepDt);
  const metadata = {
    observationNames: read('observation_names', names),
    observationScales: read('observation_terms_scale', vectors(Number.isFinite)),
    observationClips: read(
      'observation_terms_clip',
      vectors((value) => !Number.isNaN(value)),
    ),
    observationHistories: read('observation_terms_history_length', numbers),
    historiesAreFlat: read('observation_terms_flatten_history_dim', numbers),
    jointNames: read('joint_names', names),
    actionScale: read('action_scale', numbers),
    defaultJointPos: read('default_joint_pos', numbers),
    jointStiffness: read('joint_stiffness', numbers),
    jointDamping: read('joint_damping', numbers),
    commandNames: read('command_names', names),
    // A period of 20 ms in single precision is not quite 50 Hz.
    rate: rate === undefined ? undefined : Number(rate.toPrecision(6)),
    actionType: read('action_type', text) ?? read('action_space', text),
    runPath: read('run_path', text),
  };
  return { metadata, reasons };
}

const knownKeys: ReadonlySet<string> = new Set([
  'observation_names',
  'observation_terms_scale',
  'observation_terms_clip',
  'observation_terms_history_length',
  'observation_terms_flatten_history_dim',
  'joint_names',
  'action_scale',
  'default_joint_pos',
  'joint_stiffness',
  'joint_damping',
  'command_names',
  'control_hz',
  'step_dt',
  'timestep',
  'decimation',
  'action_type',
  'action_space',
  'run_path',
]);

/** Comma separated, as mjlab writes a list; an older or another exporter may have written its brackets too. */
function items(value: string): readonly string[] | Unfit {
  const bare = value.trim().replace(/^\[(.*)\]$/s, '$1');
  const list = bare.split(',').map((item) => item.trim().replace(/^(['"])(.*)\1$/s, '$2'));
  if (list.length > MOST_ITEMS) return new Unfit(`has ${list.length} items, at most ${MOST_ITEMS} are taken`);
  return list;
}

function names(value: string): readonly string[] | Unfit {
  const list = items(value);
  if (list instanceof Unfit) return list;
  const wrong = list.find((name) => !plainName.test(name));
  if (wrong !== undefined) return new Unfit(`names ${shown(wrong)}, which is no name of letters, digits and _ . : / -`);
  const twice = list.find((name, at) => list.indexOf(name) !== at);
  return twice === undefined ? list : new Unfit(`names ${shown(twice)} twice`);
}

function numbers(value: string): readonly number[] | Unfit {
  const list = items(value);
  if (list instanceof Unfit) return list;
  const found = list.map(number);
  const wrong = found.findIndex((one) => !Number.isFinite(one));
  return wrong < 0 ? found : new Unfit(`holds ${shown(list[wrong] ?? '')}, which is no finite number`);
}

/** Each item one number, or several with ";" between them. */
const vectors =
  (isFit: (value: number) => boolean) =>
  (value: string): readonly (readonly number[])[] | Unfit => {
    const list = items(value);
    if (list instanceof Unfit) return list;
    const found = list.map((item) => item.split(';').map(number));
    const wrong = found.findIndex((vector) => !vector.every(isFit));
    return wrong < 0 ? found : new Unfit(`holds ${shown(list[wrong] ?? '')}, which is no number`);
  };

function positive(value: string): number | Unfit {
  const found = number(value.trim());
  // Times, rates and counts; beyond these, what follows of them is no number any more.
  return found >= 1e-6 && found <= 1e6 ? found : new Unfit('is no number from 1e-6 to 1e6');
}

const text = (value: string): string => value;

/** A decimal number as Python writes it; NaN for everything else, such as "", "0x10" or "1_000". */
function number(value: string): number {
  if (/^[+-]?inf(inity)?$/i.test(value))
    return value.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true' ? 1 : 0;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
}
