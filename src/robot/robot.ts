import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { EdgeError } from '../errors.ts';
import { readYamlFile } from '../yaml-file.ts';
import { taskNames } from './tasks/tasks.ts';

/**
 * A number of the robot, as the file states it: `{ value, unit, source }`. Code sees only the value; the unit is checked
 * against the one that the code computes in, and no number enters without saying where it comes from.
 */
const quantity = (unit: string, range: { min?: number; max?: number } = { min: 0 }) =>
  z
    .strictObject({
      value: z
        .number()
        .min(range.min ?? Number.NEGATIVE_INFINITY)
        .max(range.max ?? Number.POSITIVE_INFINITY),
      unit: z.literal(unit, { error: `must be given in "${unit}"` }),
      source: z.string().min(1, { error: 'say where the number comes from, or "assumed"' }),
    })
    .transform((stated) => stated.value);

const anyNumber = {};
/** What something is divided by, or what switches a protection off at 0. */
const positive = { min: 1e-9 };

/** Everything that the code knows about one robot. SI units throughout. */
export const robotSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,16}$/, { error: 'lower case letters, digits and "-", at most 16' }),
  description: z.string(),
  /** MJCF file beside the robot file; only the simulator reads it */
  mjcf: z.string(),

  /** all that does not roll, legs in stance */
  body: z.strictObject({
    /** total mass without the wheels */
    mass: quantity('kg', positive),
    /** centre of mass above the wheel axle, legs in stance and sagging under the weight */
    centerOfMassHeight: quantity('m', positive),
    /** about the centre of mass, around the y axis */
    pitchInertia: quantity('kg·m²'),
  }),
  wheels: z.strictObject({
    radius: quantity('m', positive),
    /** distance between the contact points */
    track: quantity('m', positive),
    /** each */
    mass: quantity('kg', positive),
    /** each, about its axle, with the rotor's reflected inertia */
    spinInertia: quantity('kg·m²'),
    /** each; Coulomb friction between body and wheel */
    dryFriction: quantity('N·m'),
  }),
  legs: z.strictObject({
    hipStance: quantity('rad', anyNumber),
    kneeStance: quantity('rad', anyNumber),
    stiffness: quantity('N·m/rad'),
    damping: quantity('N·m·s/rad'),
    /** each joint */
    torqueLimit: quantity('N·m'),
    positionLimit: quantity('rad'),
    /** what a policy may do with the legs; without it they stand in their stance whatever it says */
    motion: z
      .strictObject({
        /** set-points of either hip, least and most */
        hipLeast: quantity('rad', anyNumber),
        hipMost: quantity('rad', anyNumber),
        /** of either knee */
        kneeLeast: quantity('rad', anyNumber),
        kneeMost: quantity('rad', anyNumber),
        /** from the hip's axis to the knee's, and from there to the wheel's */
        thigh: quantity('m', positive),
        shank: quantity('m', positive),
        /** how far from where it stands under the hip in stance the axle may go: what the balancer makes good by leaning */
        axleShift: quantity('m'),
        /** of each set-point; the legs come back to their stance at it too */
        speed: quantity('rad/s', positive),
      })
      .optional(),
  }),
  policy: z.strictObject({
    /** action 1 means this torque, total of both wheels */
    torqueScale: quantity('N·m', positive),
    /** default rate of decisions and of sensor frames */
    rate: quantity('Hz', { min: 1, max: 1000 }),
  }),
  limits: z.strictObject({
    /** each wheel, whatever the controller */
    wheelTorque: quantity('N·m', positive),
    /** each wheel; change of the commanded torque */
    wheelTorqueSlew: quantity('N·m/s', positive),
    /** relative to the shank */
    wheelSpeed: quantity('rad/s', positive),
    /** angle between the body's z axis and the vertical at which the robot counts as fallen; the tasks end here */
    tilt: quantity('rad', positive),
    /** to be armed, the robot must be this upright */
    armingTilt: quantity('rad'),
    /** to be armed, the robot must turn no faster than this */
    armingRate: quantity('rad/s'),
    /** forward speed that an operator may ask for */
    targetVelocity: quantity('m/s'),
    /** no part of this robot turns faster unless it was thrown */
    angularRate: quantity('rad/s', positive),
    /** a tilt that its rate over this time carries beyond `tilt` is a fall: one over the unstable pole */
    fallHorizon: quantity('s', positive),
    /** below this tilt no fall is predicted, however fast it grows */
    fallTilt: quantity('rad'),
    /** speed of the wheels against that of the body over them */
    wheelSlip: quantity('m/s', positive),
    /** torque per wheel acceleration below which a wheel carries nothing: between its own inertia and that on the ground */
    contactInertia: quantity('kg·m²', positive),
    /** measured less applied torque of one wheel, mean of 0.25 s */
    torqueError: quantity('N·m', positive),
    /** nearly empty */
    batteryMinimum: quantity('V'),
    /** empty: no driving about any more */
    batteryEmpty: quantity('V'),
    /** the supply breaks down under load */
    batteryCollapse: quantity('V'),
    temperatureMaximum: quantity('°C'),
    /** the windings or the magnets suffer */
    temperatureCritical: quantity('°C'),
  }),
  /** limits of single tasks, each stricter than the one of `limits` that it stands for */
  tasks: z
    .partialRecord(
      z.enum(taskNames),
      z.strictObject({
        wheelTorque: quantity('N·m', positive).optional(),
        wheelSpeed: quantity('rad/s', positive).optional(),
        targetVelocity: quantity('m/s').optional(),
      }),
    )
    .default({}),
  timing: z.strictObject({
    /** the MCU brakes, latched, after this time without a valid command */
    mcuWatchdog: quantity('ms', positive),
    /** a command is void this long after the sampling of the frame that it answers */
    commandTimeToLive: quantity('ms', positive),
    /** the host takes the link for dead after this silence */
    sensorSilence: quantity('ms', positive),
    /** time from braking to limp, in the MCU and in the host alike */
    brakeTime: quantity('s', positive),
    /** torque command to torque, beyond the sampling itself; the balancer plans with it */
    actuationDelay: quantity('ms'),
    /** age of a sample when the MCU begins to send it */
    sensingDelay: quantity('ms'),
    /** how long a policy may ask for all the torque that there is */
    policySaturation: quantity('s', positive),
    /** time over which the step between two controllers is faded out; 0 takes it at once */
    blend: quantity('s', { min: 0, max: 0.5 }),
  }),
  mcu: z.strictObject({
    /** each wheel; the most that a drive gives, where the MCU clamps */
    wheelTorquePeak: quantity('N·m'),
    /** torque per wheel speed while braking, each wheel */
    brakeDamping: quantity('N·m·s/rad'),
    /** leg damping while limp */
    limpDamping: quantity('N·m·s/rad'),
  }),
  /** what the twin adds to be as imperfect as the robot; the trainer's simulator does not know it */
  twin: z.strictObject({
    gyroNoise: quantity('rad/s'),
    accelerationNoise: quantity('m/s²'),
    attitudeNoise: quantity('rad'),
    wheelVelocityNoise: quantity('rad/s'),
    /** age of a sample when it is sent */
    sensorDelay: quantity('ms'),
    /** torque delivered per torque commanded */
    motorConstant: quantity('1'),
    battery: quantity('V'),
    temperature: quantity('°C'),
  }),
});

/** One robot in numbers; SI units, see `robotSchema` for the meaning of each. */
export type Robot = z.output<typeof robotSchema> & { /** folder of the robot file */ readonly directory: string };

/** Folder of the models that ship. */
export const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));

/**
 * Loads a robot file.
 * @param nameOrPath a model that ships ("wheel-legged") or a path to a YAML file
 * @throws EdgeError `fileUnreadable`, `robotInvalid`
 */
export function loadRobot(nameOrPath: string): Robot {
  const isName = /^[a-z0-9-]+$/.test(nameOrPath);
  const path = isName ? join(modelsDirectory, 'robots', `${nameOrPath}.yaml`) : nameOrPath;
  const robot = readYamlFile(path, robotSchema, 'robotInvalid');
  if (robot.timing.commandTimeToLive >= robot.timing.mcuWatchdog) {
    throw new EdgeError(
      'robotInvalid',
      `${path}: timing.commandTimeToLive ${robot.timing.commandTimeToLive} ms is not below timing.mcuWatchdog ${robot.timing.mcuWatchdog} ms`,
      'a command must die before the watchdog that guards it; lower commandTimeToLive',
    );
  }
  checkMotion(robot, path);
  for (const [task, limits] of Object.entries(robot.tasks)) {
    for (const [name, value] of Object.entries(limits)) {
      const general = robot.limits[name as keyof typeof limits];
      if (value === undefined || value <= general) continue;
      throw new EdgeError(
        'robotInvalid',
        `${path}: tasks.${task}.${name} ${value} is above limits.${name} ${general}`,
        'a task may only be stricter than the robot; lower it, or raise the limit of the robot',
      );
    }
  }
  return { ...robot, directory: dirname(path) };
}

/** The stance must lie where a policy may put the legs, and that within what the joints can do. */
function checkMotion({ legs }: z.output<typeof robotSchema>, path: string): void {
  const { motion, positionLimit } = legs;
  if (!motion) return;
  for (const [joint, least, stance, most] of [
    ['hip', motion.hipLeast, legs.hipStance, motion.hipMost],
    ['knee', motion.kneeLeast, legs.kneeStance, motion.kneeMost],
  ] as const) {
    if (-positionLimit <= least && least <= stance && stance <= most && most <= positionLimit) continue;
    throw new EdgeError(
      'robotInvalid',
      `${path}: legs.motion lets the ${joint} go from ${least} to ${most} rad, its stance is ${stance} rad, the joint's limit ±${positionLimit} rad`,
      `set ${joint}Least and ${joint}Most round the stance and within legs.positionLimit`,
    );
  }
}

/** Text of the robot's MJCF. */
export function readMjcf(robot: Robot): string {
  const path = join(robot.directory, robot.mjcf);
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new EdgeError(
      'fileUnreadable',
      `cannot read ${path}, named by "mjcf" of robot ${robot.name}`,
      'put the MJCF beside the robot file',
    );
  }
}
