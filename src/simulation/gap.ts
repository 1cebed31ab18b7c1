import { join } from 'node:path';
import { z } from 'zod';
import { modelsDirectory } from '../robot/robot.ts';
import { readYamlFile } from '../yaml-file.ts';

const scale = z.number().positive({ error: 'must be above 0' }).max(100);
const delay = z.number().min(0).max(200);

/** A dynamics gap: how one simulated robot differs from the one in the robot file. */
export const gapSchema = z.strictObject({
  description: z.string().min(1),
  source: z.string().min(1, { error: 'say where the gap comes from, or "assumed"' }),
  gravityScale: scale.optional(),
  /** of every contact */
  frictionScale: scale.optional(),
  /** std of normal noise on the action, in action units: 1 is `policy.torqueScale` in total; drawn once per decision */
  actionNoise: z.number().min(0).max(10).optional(),
  /** of every body, inertia alike */
  massScale: scale.optional(),
  motorConstantScale: scale.optional(),
  /** [ms] on the way from wheel command to torque */
  extraActuationDelay: delay.optional(),
  /** [ms] on every reading */
  extraSensorDelay: delay.optional(),
  /** [N·m] added to each wheel's Coulomb friction */
  dryFriction: z.number().min(0).max(5).optional(),
  /** [m] of the torso, forward */
  centerOfMassShift: z.number().min(-0.2).max(0.2).optional(),
  /** [rad] measured minus true pitch: how far the IMU is mounted leaning forward */
  pitchBias: z.number().min(-0.5).max(0.5).optional(),
  /** [rad] of the floor, positive is uphill ahead */
  slope: z.number().min(-0.5).max(0.5).optional(),
});

/** A gap with every value present; `noGap` changes nothing. */
export type Gap = Readonly<Record<Exclude<keyof z.output<typeof gapSchema>, 'description' | 'source'>, number>>;

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

/**
 * Loads and composes gap files.
 * @param namesOrPaths gaps that ship ("gravity-2x") or paths to YAML files
 * @throws EdgeError `fileUnreadable`, `gapInvalid` with the line
 */
export function loadGaps(namesOrPaths: readonly string[]): Gap {
  return namesOrPaths.reduce((gap: Gap, nameOrPath) => {
    const isName = /^[a-z0-9.-]+$/.test(nameOrPath) && !/\.ya?ml$/.test(nameOrPath);
    const path = isName ? join(modelsDirectory, 'gaps', `${nameOrPath}.yaml`) : nameOrPath;
    const { description: _, source: __, ...values } = readYamlFile(path, gapSchema, 'gapInvalid');
    return composeGaps(gap, definedOnly(values));
  }, noGap);
}

function definedOnly(values: { [K in keyof Gap]?: number | undefined }): Partial<Gap> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
