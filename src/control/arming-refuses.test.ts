import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseManifest } from '../policy/manifest.ts';
import { type Hello, RESOLUTION, type Sensors } from '../protocol/messages.gen.ts';
import { modelsDirectory } from '../robot/robot.ts';
import { controlLoop, policies } from './control-loop.testing.ts';
import { latchOnDisk, robotControlRig } from './control-rig.testing.ts';
import { Controllers } from './controllers/controllers.ts';
import { FakePolicy } from './controllers/policy-runner.testing.ts';
import { leaning, McuWire } from './frames.testing.ts';

beforeEach(() => policies.clear());

/** An accelerometer that feels anything at all flickers in its last bit. */
function alive(over: Partial<Sensors>, frame: number): Partial<Sensors> {
  if (!over.acceleration?.some((axis) => axis !== 0)) return over;
  const [x, y, z] = over.acceleration;
  return { ...over, acceleration: [x, y + (frame % 2) * RESOLUTION.sensors.acceleration, z] };
}

/** A second of such frames, from bytes to bytes; then somebody asks for a mode. */
function armAfter(over: Partial<Sensors>, greeting: Partial<Hello> = {}) {
  const loop = controlLoop(greeting);
  const wire = new McuWire();
  for (let frame = 0; frame < 200; frame++) loop.push(wire.sensors(alive(over, frame)));
  return { ...loop, wire, refusal: loop.enter() };
}

/** A second of frames of a robot on which nothing is wrong. */
function controlLoopAtRest() {
  const loop = controlLoop();
  const wire = new McuWire();
  for (let frame = 0; frame < 200; frame++) loop.push(wire.sensors());
  return loop;
}

/** Ids of the checks that are in the way. */
const inTheWay = (over: Partial<Sensors>, greeting: Partial<Hello> = {}) => {
  const { refusal, control } = armAfter(over, greeting);
  expect(control.safety.robotState).toBe('disarmed');
  return refusal?.code ?? 'nothing';
};

describe('arming looks at the IMU', () => {
  it('and is allowed for one that is upright, at rest, and feels gravity', () => {
    expect(armAfter({}).refusal).toBeUndefined();
    expect(armAfter({ hasAttitude: false, attitude: [0, 0, 0, 0] }).refusal).toBeUndefined();
  });

  it('and is refused for a dead one: all zeros, no attitude of its own', () => {
    const code = inTheWay({ hasAttitude: false, attitude: [0, 0, 0, 0], gyro: [0, 0, 0], acceleration: [0, 0, 0] });
    for (const id of ['estimate-not-finite', 'upright', 'gravity']) expect(code).toContain(id);
  });

  it('and is refused for an attitude that is frozen upright over an accelerometer that reads nothing', () => {
    expect(inTheWay({ acceleration: [0, 0, 0] })).toBe('not-armed: imu-stuck, acceleration-implausible, gravity');
  });

  it.each([-1.2, -0.3, 0.3, 1.2, Math.PI])(
    'and is refused for an attitude that is frozen upright while the body leans by %d rad',
    (lean) => {
      const acceleration: Sensors['acceleration'] = [-9.81 * Math.sin(lean), 0, 9.81 * Math.cos(lean)];
      expect(inTheWay({ acceleration })).toBe('not-armed: gravity');
    },
  );

  it('and is refused for one that is mounted the wrong way round', () => {
    expect(inTheWay({ acceleration: [0, 0, -9.81] })).toBe('not-armed: gravity');
  });

  it('and is allowed for a body that leans a little and says so', () => {
    const acceleration: Sensors['acceleration'] = [-9.81 * Math.sin(0.05), 0, 9.81 * Math.cos(0.05)];
    expect(armAfter({ attitude: leaning(0.05), acceleration }).refusal).toBeUndefined();
  });
});

describe('arming looks at what the MCU said of itself', () => {
  it.each([0, 1, 51, 65_535])('and is refused with a watchdog of %i ms', (watchdog) => {
    expect(inTheWay({}, { watchdog })).toBe('not-armed: watchdog');
  });

  it.each(['another-robot', '', 'wheel-legged-2'])('and is refused for the robot "%s"', (name) => {
    expect(inTheWay({}, { name })).toBe('not-armed: robot');
  });

  it('and is refused while it does not hear the commands', () => {
    expect(inTheWay({ commandFresh: false })).toContain('heard');
  });
});

describe('arming looks at the joints and the rate', () => {
  it.each([0, 1, 2, 3])('and is refused while encoder %i of the legs is a whole turn off, either way', (joint) => {
    // The wire says at most 3.28 rad of it, which is beyond any joint limit.
    for (const turn of [-2 * Math.PI, 2 * Math.PI]) {
      const [a, b, c, d] = [0, 1, 2, 3].map((one) => (one === joint ? turn : 0));
      expect(inTheWay({ legPosition: [a ?? 0, b ?? 0, c ?? 0, d ?? 0] })).toBe('not-armed: joint-limit');
    }
  });

  it.each([
    [10_000, 'half of'],
    [5500, 'nine tenths of'],
    [2500, 'twice'],
  ])('and is refused at a frame every %i µs, %s the rate that the MCU has announced', (period) => {
    const loop = controlLoop();
    const wire = new McuWire({ period });
    for (let frame = 0; frame < 300; frame++) loop.push(wire.sensors());
    expect(loop.enter()?.code).toContain('rate');
    expect(loop.control.safety.robotState).toBe('disarmed');
  });
});

describe('arming looks at the limits of the task', () => {
  it('and not only at those of the robot: standing still is no way to drive', () => {
    const { enter, control } = controlLoopAtRest();
    const faster = { controller: 'balancer', targetVelocity: 0.4 } as const;
    expect(enter({ task: 'standing-still', ...faster })?.code).toBe('not-armed: target-velocity');
    expect(control.safety.robotState).toBe('disarmed');
    expect(enter({ task: 'moving-straight', ...faster })).toBeUndefined();
  });
});

describe('arming looks at the robot of now', () => {
  it('and not before the first frame after a disarming', () => {
    const rig = robotControlRig();
    rig.run();
    rig.frame({ state: 'active' }, { estimate: { tilt: 1.5 } });
    expect(rig.control.safety.robotState).toBe('limp');
    // It lies on the ground; the disarming has cleared the condition, and no frame has been looked at since.
    rig.control.disarm();
    expect(rig.enter()?.code).toContain('state');
    rig.frame({}, { estimate: { tilt: 1.5 } });
    expect(rig.enter()?.code).toContain('tilt');
    rig.frame();
    expect(rig.enter()).toBeUndefined();
  });

  it('and not before the first frame after a reset', async () => {
    const disk = latchOnDisk();
    const rig = robotControlRig({ latch: disk.latch });
    rig.settle();
    await rig.control.estop('anna');
    expect(await rig.control.reset(async () => void rig.frame({ state: 'idle' }))).toBeUndefined();
    expect(rig.enter()?.code).toBe('not-armed: state');
    rig.frame();
    expect(rig.enter()).toBeUndefined();
    await disk.remove();
  });

  it('and is refused in silence, although the last frame was good', () => {
    const rig = robotControlRig();
    rig.settle();
    rig.control.linkSilent(true);
    expect(rig.enter()?.code).toContain('sensor-silence');
    rig.control.linkSilent(false);
    rig.frame();
    expect(rig.enter()).toBeUndefined();
  });
});

describe('arming looks at the people and the line', () => {
  it('and is refused while a stop button is held down, also one that was down before control began', () => {
    const rig = robotControlRig();
    rig.settle();
    rig.frames(120);
    rig.control.facts.stopsHeld = ['/dev/input/js0'];
    rig.frame();
    expect(rig.enter()?.code).toContain('stop-held');
    rig.control.facts.stopsHeld = [];
    rig.frame();
    expect(rig.enter()).toBeUndefined();
  });

  it('and is refused on frames of long ago, although bytes of some kind never ceased', () => {
    const rig = robotControlRig();
    rig.settle();
    rig.frames(120);
    rig.pass(60_000);
    expect(rig.enter()?.code).toContain('frames-fresh');
    expect(rig.control.safety.robotState).toBe('disarmed');
  });
});

describe('arming looks at the policy', () => {
  const fake = { task: 'standing-still', controller: 'fake' } as const;

  it('and is refused once it has expired, also if it was good when it was loaded', () => {
    const policy = new FakePolicy({ now: 0n });
    const controllers = new Controllers(robotControlRig().robot, new Map([['fake', policy]]), () => 0n);
    const rig = robotControlRig({ controllers });
    rig.settle();
    policy.expires = Date.now() - 1;
    const refusal = rig.enter(fake);
    expect(refusal).toMatchObject({ code: 'not-armed: controller', message: expect.stringContaining('expired') });
    policy.expires = Number.NaN;
    expect(rig.enter(fake)?.message).toContain('expired');
    policy.expires = Date.now() + 1e9;
    expect(rig.enter(fake)).toBeUndefined();
    // Nor may a running robot change over to it.
    expect(rig.enter()).toBeUndefined();
    policy.expires = Date.now() - 1;
    expect(rig.enter(fake)?.code).toBe('not-armed: controller');
    expect(rig.control.safety.mode).toMatchObject({ controller: 'balancer' });
  });

  it.each(['balancer', 'disarmed'])('and "%s" is no name for one: its bundle is refused', (id) => {
    const shipped = join(modelsDirectory, 'policies', 'standing-still-balancer', 'manifest.json');
    const manifest = JSON.parse(readFileSync(shipped, 'utf8'));
    expect(parseManifest(JSON.stringify(manifest)).ok).toBe(true);
    expect(parseManifest(JSON.stringify({ ...manifest, id }))).toEqual({ ok: false, problems: ['id: is reserved'] });
  });

  it('and never takes one that calls itself "balancer" for the built-in one', async () => {
    const impostor = new FakePolicy({ now: 0n }, { id: 'balancer', action: 1 });
    policies.set('balancer', impostor);
    const loop = controlLoop();
    const wire = new McuWire();
    for (let frame = 0; frame < 200; frame++) loop.push(wire.sensors());
    expect(loop.enter()).toBeUndefined();
    for (let frame = 0; frame < 10; frame++) loop.push(wire.sensors({ state: 'active' }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(loop.rows.at(-1)).toMatchObject({ robotState: 'running', controller: 'balancer', policyHash: 0n });
    expect(impostor).toMatchObject({ asked: [], resets: 0 });
  });
});
