import { join } from 'node:path';
import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import type { Random } from '../random.ts';
import { modelsDirectory } from '../robot/robot.ts';
import { readYamlFile } from '../yaml-file.ts';

/** A value that is drawn anew for each episode, uniformly [min, max). */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A number within limits, or a range within the same: `slope: 0.1` or `slope: { min: -0.1, max: 0.1 }`. */
const value = (number: z.ZodNumber) => {
  const range = z
    .strictObject({ min: number, max: number })
    .refine(({ min, max }) => min <= max, { error: 'min is above max' });
  // not z.union: that would answer "invalid input" to every mistake
  return z
    .unknown()
    .transform((given, context): number | Range => {
      const result = (typeof given === 'object' && given !== null ? range : number).safeParse(given);
      if (result.success) return result.data;
      for (const { path, message } of result.error.issues) context.addIssue({ code: 'custom', path, message });
      return z.NEVER;
    })
    .optional();
};

const scale = value(z.number().positive({ error: 'must be above 0' }).max(100));
const delay = value(z.number().min(0).max(200));

/**
 * A dynamics gap: how one simulated robot differs from the one in the robot file. A range in place of a number randomises the
 * dynamics: each episode draws its own.
 */
export const gapSchema = z.strictObject({
  description: z.string().min(1),
  source: z.string().min(1, { error: 'say where the gap comes from, or "assumed"' }),
  gravityScale: scale,
  /** of every contact */
  frictionScale: scale,
  /** std of normal noise on the action, in action units: 1 is `policy.torqueScale` in total; drawn once per decision */
  actionNoise: value(z.number().min(0).max(10)),
  /** of every body, inertia alike */
  massScale: scale,
  motorConstantScale: scale,
  /** [ms] on the way from wheel command to torque */
  extraActuationDelay: delay,
  /** [ms] on every reading */
  extraSensorDelay: delay,
  /** [N·m] added to each wheel's Coulomb friction */
  dryFriction: value(z.number().min(0).max(5)),
  /** [m] of the torso, forward */
  centerOfMassShift: value(z.number().min(-0.2).max(0.2)),
  /** [rad] measured minus true pitch: how far the IMU is mounted leaning forward */
  pitchBias: value(z.number().min(-0.5).max(0.5)),
  /** [rad] of the floor, positive is uphill ahead */
  slope: value(z.number().min(-0.5).max(0.5)),
});

export type GapKey = Exclude<keyof z.output<typeof gapSchema>, 'description' | 'source'>;

/** A gap with every value present; `noGap` changes nothing. */
export type Gap = Readonly<Record<GapKey, number>>;

export const noGap: Gap = {
  gravityScale: 1,
  frictionScale: 1,
  actionNoise: 0,
  massScale: 1,
  motorConstantScale: 1,
  extraActuationDelay: 0,
  extraSensorDelay: 0,
  dryFriction: 0,
  centerOfMassShift: 0,
  pitchBias: 0,
  slope: 0,
};

/** Both gaps at once: scales multiply, noises add as independent ones, everything else adds. */
export function composeGaps(a: Gap, b: Partial<Gap>): Gap {
  return {
    gravityScale: a.gravityScale * (b.gravityScale ?? 1),
    frictionScale: a.frictionScale * (b.frictionScale ?? 1),
    actionNoise: Math.hypot(a.actionNoise, b.actionNoise ?? 0),
    massScale: a.massScale * (b.massScale ?? 1),
    motorConstantScale: a.motorConstantScale * (b.motorConstantScale ?? 1),
    extraActuationDelay: a.extraActuationDelay + (b.extraActuationDelay ?? 0),
    extraSensorDelay: a.extraSensorDelay + (b.extraSensorDelay ?? 0),
    dryFriction: a.dryFriction + (b.dryFriction ?? 0),
    centerOfMassShift: a.centerOfMassShift + (b.centerOfMassShift ?? 0),
    pitchBias: a.pitchBias + (b.pitchBias ?? 0),
    slope: a.slope + (b.slope ?? 0),
  };
}

/** What one gap file says. */
export interface GapFile {
  /** as it was asked for: a name that ships or a path */
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly source: string;
  readonly values: Readonly<Partial<Record<GapKey, number | Range>>>;
}

/**
 * Reads one gap file.
 * @param nameOrPath a gap that ships ("gravity-2x") or a path to a YAML file
 * @throws EdgeError `fileUnreadable`, `gapInvalid` with the line
 */
export function readGap(nameOrPath: string): GapFile {
  const isName = /^[a-z0-9.-]+$/.test(nameOrPath) && !/\.ya?ml$/.test(nameOrPath);
  const path = isName ? join(gapsDirectory, `${nameOrPath}.yaml`) : nameOrPath;
  const { description, source, ...values } = readYamlFile(path, gapSchema, 'gapInvalid');
  return { name: nameOrPath, path, description, source, values: definedOnly(values) };
}

/** Folder of the gaps that ship. */
export const gapsDirectory = join(modelsDirectory, 'gaps');

/** The keys under which a gap holds a range. */
export const rangesOf = ({ values }: GapFile): GapKey[] =>
  keysOf(values).filter((key) => typeof values[key] === 'object');

/**
 * Loads and composes gap files, for one robot that stays as it is.
 * @param namesOrPaths gaps that ship or paths to YAML files
 * @throws EdgeError `fileUnreadable`, `gapInvalid` with the line, or for a gap that holds ranges
 */
export function loadGaps(namesOrPaths: readonly string[]): Gap {
  const files = namesOrPaths.map(readGap);
  for (const file of files) {
    const [ranged] = rangesOf(file);
    if (ranged === undefined) continue;
    throw new EdgeError(
      'gapInvalid',
      `${file.path}: ${ranged} is a range, drawn anew each episode; here is one robot, without episodes`,
      'give a number in its place; ranges are for training and evaluation',
    );
  }
  return drawGap(files, undefined);
}

/**
 * All gaps at once, each range drawn once. Always as many draws in the same order, whatever the values.
 * @param random not needed where no gap holds a range
 */
export function drawGap(files: readonly Pick<GapFile, 'values'>[], random: Random | undefined): Gap {
  return files.reduce((gap: Gap, { values }) => {
    const drawn: { -readonly [K in GapKey]?: number } = {};
    // in the order of the schema, not of the file: its lines may be moved about
    for (const key of keysOf(noGap)) {
      const value = values[key];
      if (value === undefined) continue;
      drawn[key] = typeof value === 'number' ? value : value.min + (value.max - value.min) * (random?.uniform() ?? 0);
    }
    return composeGaps(gap, drawn);
  }, noGap);
}

/**
 * Refuses gaps that an environment does not have.
 * @param environment its name, for people
 * @throws EdgeError `gapInvalid`
 */
export function checkApplicable(files: readonly GapFile[], known: readonly GapKey[], environment: string): void {
  for (const { path, values } of files) {
    const foreign = keysOf(values).find((key) => !known.includes(key) && values[key] !== noGap[key]);
    if (foreign === undefined) continue;
    throw new EdgeError(
      'gapInvalid',
      `${path}: ${foreign} does not apply to ${environment}`,
      `leave it out; ${environment} knows ${known.join(', ')}`,
    );
  }
}

const keysOf = (values: Readonly<Partial<Record<GapKey, unknown>>>): GapKey[] => Object.keys(values) as GapKey[];

function definedOnly(values: { [K in GapKey]?: number | Range | undefined }): GapFile['values'] {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
