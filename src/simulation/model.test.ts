import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { Twin } from './twin.ts';

const robot = loadRobot('wheel-legged');
const joints = ['hipLeft', 'kneeLeft', 'hipRight', 'kneeRight'];

/** Within 1 %. */
function expectClose(actual: number, stated: number) {
  expect(Math.abs(actual / stated - 1), `${actual} against ${stated}`).toBeLessThan(0.01);
}

describe('the robot file and its MJCF', () => {
  let twin: Twin;
  beforeAll(async () => {
    twin = await Twin.create({ robot });
  });
  afterAll(() => twin.delete());

  /** Mass, centre of mass and pitch inertia of all that does not roll, in the settled stance. */
  function body() {
    const { bodyMass, bodyInertia } = twin.model.constants();
    const { centerOfMass, inertiaFrame, bodyPosition } = twin.model.views();
    const wheels = [twin.model.id('body', 'wheelLeft'), twin.model.id('body', 'wheelRight')];
    const parts = [...bodyMass.keys()].filter((part) => part > 0 && !wheels.includes(part));
    const at = (values: Float64Array, index: number) => values[index] ?? 0;
    const mass = parts.reduce((sum, part) => sum + at(bodyMass, part), 0);
    const mean = (axis: number) =>
      parts.reduce((sum, part) => sum + at(bodyMass, part) * at(centerOfMass, 3 * part + axis), 0) / mass;
    const [x, z] = [mean(0), mean(2)];
    const inertia = parts.reduce((sum, part) => {
      const own = [0, 1, 2].reduce(
        (part_, axis) => part_ + at(inertiaFrame, 9 * part + 3 + axis) ** 2 * at(bodyInertia, 3 * part + axis),
        0,
      );
      const away = (at(centerOfMass, 3 * part) - x) ** 2 + (at(centerOfMass, 3 * part + 2) - z) ** 2;
      return sum + own + at(bodyMass, part) * away;
    }, 0);
    const [wheel = 0, other = 0] = wheels;
    return {
      mass,
      inertia,
      forward: x - (at(bodyPosition, 3 * wheel) + at(bodyPosition, 3 * other)) / 2,
      height: z - at(bodyPosition, 3 * wheel + 2),
      wheelMass: at(bodyMass, wheel),
      wheelSpin: Math.max(...bodyInertia.subarray(3 * wheel, 3 * wheel + 3)),
      track: at(bodyPosition, 3 * wheel + 1) - at(bodyPosition, 3 * other + 1),
    };
  }

  it('agree on masses, inertias and sizes', () => {
    const { mass, inertia, height, wheelMass, wheelSpin, track } = body();
    const { constants, id } = { constants: twin.model.constants(), id: twin.model.id.bind(twin.model) };
    const wheelDof = constants.jointVelocity[id('joint', 'wheelLeft')] ?? 0;
    expectClose(mass, robot.body.mass);
    expectClose(height, robot.body.centerOfMassHeight);
    expectClose(inertia, robot.body.pitchInertia);
    expectClose(wheelMass, robot.wheels.mass);
    expectClose(track, robot.wheels.track);
    expectClose(constants.geomSize[3 * id('geom', 'wheelLeft')] ?? 0, robot.wheels.radius);
    expectClose(wheelSpin + (constants.dofArmature[wheelDof] ?? 0), robot.wheels.spinInertia);
    expectClose(constants.dofFrictionLoss[wheelDof] ?? 0, robot.wheels.dryFriction);
    expectClose(mass + 2 * wheelMass, 12);
  });

  it('agree on the limits of drives and joints', () => {
    const { actuatorRange, jointRange } = twin.model.constants();
    for (const joint of joints) {
      expect(actuatorRange[2 * twin.model.id('actuator', joint) + 1]).toBe(robot.legs.torqueLimit);
      expect(jointRange[2 * twin.model.id('joint', joint) + 1]).toBe(robot.legs.positionLimit);
    }
    expect(actuatorRange[2 * twin.model.id('actuator', 'wheelLeft') + 1]).toBe(robot.mcu.wheelTorquePeak);
  });

  it('put the centre of mass above the axle when the torso is upright and the legs sag', () => {
    const { forward, height } = body();
    expect(Math.abs(Math.atan2(forward, height))).toBeLessThan(0.005);
  });
});
