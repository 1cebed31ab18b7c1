import { describe, expect, it } from 'vitest';
import { loadRobot } from '../robot/robot.ts';
import { BenchPlant, TestBench, TestHost } from './host.testing.ts';

const robot = loadRobot('wheel-legged');
const watchdogFrames = robot.timing.mcuWatchdog / 5;
const lifeFrames = robot.timing.commandTimeToLive / 5;
const brakeFrames = robot.timing.brakeTime * 200;

describe('the virtual MCU', () => {
  it('says hello at boot, sends sensors at its rate and applies the commands of the host in charge', () => {
    const bench = new TestBench(robot);
    expect(bench.host.last('hello')).toMatchObject({ peerNonce: 0, sensorRate: 200, name: robot.name, latch: 0 });
    bench.run(4);
    expect(bench.host.all('sensors')).toHaveLength(4);
    expect(bench.host.frames.filter(({ kind }) => kind === 'sensors').map(({ time }) => time)).toEqual([
      5000, 10000, 15000, 20000,
    ]);
    expect(bench.mcu.state).toBe('idle');

    bench.mcu.receive(bench.host.hello());
    expect(bench.host.last('hello').peerNonce).toBe(0xabcd);
    bench.run(2, () => bench.host.command({ wheelTorque: [0.5, -0.25] }));
    expect(bench.mcu.state).toBe('active');
    expect(bench.plant.torques.wheels).toEqual([0.5, -0.25]);
    bench.run(1, () => bench.host.command({ wheelTorque: [1, 1] }));
    expect(bench.host.last('sensors')).toMatchObject({
      state: 'active',
      commandFresh: true,
      answered: bench.host.newest - 1,
      wheelTorqueApplied: [0.5, -0.25],
    });
  });

  it('clamps wheels and legs to their drives', () => {
    const bench = new TestBench(robot);
    bench.mcu.receive(bench.host.hello());
    bench.run(2, () => bench.host.command({ wheelTorque: [30, -30], legTorque: [30, -30, 0, 0] }));
    const { wheelTorquePeak } = robot.mcu;
    expect(bench.plant.torques.wheels).toEqual([wheelTorquePeak, -wheelTorquePeak]);
    expect(bench.plant.torques.legs.every((torque) => Math.abs(torque) <= robot.legs.torqueLimit)).toBe(true);
    bench.run(1, () => bench.host.command());
    expect(bench.host.last('sensors').wheelTorqueApplied).toEqual([wheelTorquePeak, -wheelTorquePeak]);
  });

  it('servoes the legs by the set-points and gains of the command', () => {
    const plant = new BenchPlant({ legPosition: [0.1, 0, 0, 0], legVelocity: [0, 0.2, 0, 0] });
    const bench = new TestBench(robot, {}, plant);
    bench.mcu.receive(bench.host.hello());
    const gains = {
      legPosition: [0.2, 0, 0, 0],
      legVelocity: [0, 0.3, 0, 0],
      legTorque: [0, 0, 1.5, 0],
      legStiffness: [40, 40, 40, 40],
      legDamping: [2, 2, 2, 2],
    } as const;
    bench.run(2, () => bench.host.command(gains));
    const [hip, knee, feedForward, nothing] = plant.torques.legs;
    expect(hip).toBeCloseTo(4, 6);
    expect(knee).toBeCloseTo(0.2, 6);
    expect(feedForward).toBeCloseTo(1.5, 6);
    expect(nothing).toBeCloseTo(0, 6);
  });

  it('brakes, unlatched, when the command is past its time to live, and resumes with the next', () => {
    const bench = new TestBench(robot, {}, new BenchPlant({ wheelVelocity: [4, -4] }));
    bench.arm();
    bench.run(1, () => bench.host.command({ wheelTorque: [1, 1] }));
    bench.run(lifeFrames);
    expect(bench.plant.torques.wheels).toEqual([1, 1]);
    bench.mcu.advance(1000);
    const braking = -robot.mcu.brakeDamping * 4;
    expect(bench.plant.torques.wheels).toEqual([braking, -braking]);
    bench.mcu.advance(4000);
    expect(bench.host.last('sensors')).toMatchObject({ state: 'active', commandFresh: false });
    expect(bench.host.all('fault')).toHaveLength(0);
    bench.mcu.receive(bench.host.command({ wheelTorque: [1, 1] }));
    bench.mcu.advance(1000);
    expect(bench.plant.torques.wheels).toEqual([1, 1]);
  });

  it('counts the time to live from the sampling of the answered frame, however late the command', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.run(3);
    const late = bench.host.command({ answers: bench.host.newest - 2, timeToLive: 10_000 });
    bench.mcu.receive(late);
    expect(bench.mcu.rejected.expired).toBe(1);
    bench.mcu.receive(bench.host.command({ answers: bench.host.newest - 2, timeToLive: 10_010 }));
    expect(bench.mcu.rejected.expired).toBe(1);
    bench.mcu.receive(bench.host.command({ timeToLive: 0 }));
    expect(bench.mcu.rejected.expired).toBe(2);
  });

  it('refuses duplicates, old answers, unknown frames and foreign sessions, each under its name', () => {
    const bench = new TestBench(robot);
    bench.mcu.receive(bench.host.command());
    expect(bench.mcu.rejected.wrongSession).toBe(1);
    bench.arm();
    bench.run(2, () => bench.host.command());
    bench.mcu.receive(bench.host.command());
    bench.mcu.receive(bench.host.command({ answers: bench.host.newest - 1 }));
    expect(bench.mcu.rejected.staleAnswer).toBe(2);
    bench.mcu.receive(bench.host.command({ answers: bench.host.newest + 1 }));
    bench.mcu.receive(bench.host.command({ answers: (bench.host.newest - 64) & 0xffff }));
    expect(bench.mcu.rejected.unknownAnswer).toBe(2);
    bench.run(1);
    bench.mcu.receive(bench.host.command({ session: 1 }));
    expect(bench.mcu.rejected.wrongSession).toBe(2);
  });

  it('latches braking when the watchdog bites, in MCU time, and goes limp', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.run(watchdogFrames - 1);
    expect(bench.mcu.state).toBe('active');
    bench.run(1);
    expect(bench.mcu.state).toBe('braking');
    expect(bench.host.last('fault')).toMatchObject({ cause: 'watchdog', latch: 1, faults: 0 });
    // a host that returns is heard but not obeyed
    bench.run(brakeFrames - 1, () => bench.host.command());
    expect(bench.mcu.state).toBe('braking');
    expect(bench.mcu.rejected.notAllowed).toBeGreaterThan(0);
    bench.mcu.receive(bench.host.clear(1));
    expect(bench.mcu.state).toBe('braking');
    bench.run(1);
    expect(bench.mcu.state).toBe('limp');
    // at once, then ten a second
    expect(bench.host.all('fault').length).toBe(1 + robot.timing.brakeTime * 10);
    bench.run(1, () => bench.host.command({ requestedState: 'idle' }));
    expect(bench.mcu.state).toBe('limp');
    bench.mcu.receive(bench.host.clear(1));
    expect(bench.mcu.state).toBe('idle');
    bench.run(1, () => bench.host.command());
    expect(bench.mcu.state).toBe('active');
  });

  it('has no watchdog where nothing depends on the host', () => {
    const bench = new TestBench(robot);
    bench.mcu.receive(bench.host.hello());
    bench.run(2, () => bench.host.command({ requestedState: 'idle' }));
    bench.run(10 * watchdogFrames);
    expect(bench.mcu.state).toBe('idle');
    expect(bench.host.all('fault')).toHaveLength(0);
  });

  it('knows these transitions by command and no others', () => {
    const requests = ['idle', 'active', 'braking', 'limp'] as const;
    const reach = {
      idle: [],
      active: ['active'],
      braking: ['active', 'braking'],
      limp: ['active', 'limp'],
    } as const;
    const expected = {
      idle: ['idle', 'active', 'idle', 'idle'],
      active: ['idle', 'active', 'braking', 'limp'],
      braking: ['idle', 'braking', 'braking', 'limp'],
      limp: ['idle', 'limp', 'limp', 'limp'],
    };
    for (const from of requests) {
      const outcome = requests.map((requestedState) => {
        const bench = new TestBench(robot);
        bench.mcu.receive(bench.host.hello());
        for (const step of reach[from]) bench.run(1, () => bench.host.command({ requestedState: step }));
        expect(bench.mcu.state).toBe(from);
        bench.run(1, () => bench.host.command({ requestedState }));
        return bench.mcu.state;
      });
      expect(outcome, from).toEqual(expected[from]);
    }
  });

  it('goes limp by itself after braking on command, unlatched', () => {
    const bench = new TestBench(robot, {}, new BenchPlant({ legVelocity: [0.5, 0, 0, 0] }));
    bench.arm();
    bench.run(1, () => bench.host.command({ requestedState: 'braking' }));
    bench.run(brakeFrames);
    expect(bench.mcu.state).toBe('limp');
    expect(bench.host.all('fault')).toHaveLength(0);
    bench.run(1);
    expect(bench.plant.torques.wheels).toEqual([0, 0]);
    expect(bench.plant.torques.legs[0]).toBeCloseTo(-0.5 * robot.mcu.limpDamping, 6);
  });

  it('lets a second host in only while nothing moves', () => {
    const bench = new TestBench(robot);
    const second = new TestHost(robot, 0x7777);
    bench.arm();
    bench.mcu.receive(second.hello());
    expect(bench.host.last('hello').peerNonce).toBe(0xabcd);
    expect(bench.mcu.state).toBe('active');
    bench.run(1, () => bench.host.command({ requestedState: 'idle' }));
    bench.mcu.receive(second.hello());
    expect(bench.host.last('hello').peerNonce).toBe(0x7777);
    bench.run(1, () => bench.host.command());
    expect(bench.mcu.state).toBe('idle');
    expect(bench.mcu.rejected.wrongSession).toBe(1);
  });

  it('does not obey a host of another schema or version, except its stop', () => {
    for (const other of [{ schemaHash: 1 }, { protocolVersion: 99 }]) {
      const bench = new TestBench(robot);
      bench.mcu.receive(bench.host.hello(other));
      expect(bench.host.last('hello').peerNonce).toBe(0);
      bench.run(2, () => bench.host.command());
      expect(bench.mcu.state).toBe('idle');
      bench.mcu.receive(bench.host.estop());
      expect(bench.mcu.state).toBe('estopped');
    }
  });

  it('runs over the wraps of sequence and clock', () => {
    const bench = new TestBench(robot, { startSequence: 0xfff0, startTimeMicros: 2 ** 32 - 40_000 });
    bench.arm();
    bench.run(40, () => bench.host.command({ wheelTorque: [0.1, 0.1] }));
    expect(bench.mcu.state).toBe('active');
    expect(Object.values(bench.mcu.rejected).every((count) => count === 0)).toBe(true);
    expect(bench.host.newest).toBeLessThan(100);
    const times = bench.host.frames.filter(({ kind }) => kind === 'sensors').map(({ time }) => time);
    expect(times.some((time) => time > 2 ** 31) && times.some((time) => time < 2 ** 31)).toBe(true);
    bench.run(watchdogFrames);
    expect(bench.mcu.state).toBe('braking');
    expect(bench.host.last('fault').latchedAt).toBeLessThan(2 ** 31);
  });

  it('takes a command after a pause of more than half the circle of sequences', () => {
    const bench = new TestBench(robot, { rate: 1000 });
    bench.mcu.receive(bench.host.hello());
    bench.mcu.advance(1000);
    bench.mcu.receive(bench.host.command({ requestedState: 'idle' }));
    bench.mcu.advance(40_000_000);
    bench.mcu.receive(bench.host.command());
    expect(bench.mcu.state).toBe('active');
  });

  it('forgets everything at a reset and draws another nonce', () => {
    const bench = new TestBench(robot);
    bench.arm();
    const before = bench.host.last('hello').nonce;
    bench.mcu.boot();
    expect(bench.host.last('hello')).toMatchObject({ peerNonce: 0, latch: 0 });
    expect(bench.host.last('hello').nonce).not.toBe(before);
    expect(bench.mcu.state).toBe('idle');
    bench.run(1, () => bench.host.command());
    expect(bench.mcu.state).toBe('idle');
  });

  it('reports of several torques in one interval the one in force longest', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.run(1, () => bench.host.command({ wheelTorque: [0.2, 0.2] }));
    bench.mcu.advance(1000);
    const half = bench.host.command({ wheelTorque: [0.4, 0.4], answers: bench.host.newest });
    bench.mcu.receive(half); // stale: the frame was answered already
    bench.mcu.advance(4000);
    expect(bench.host.last('sensors').wheelTorqueApplied).toEqual([0.2, 0.2]);
    bench.mcu.advance(1000);
    bench.mcu.receive(bench.host.command({ wheelTorque: [0.6, 0.6] }));
    bench.mcu.advance(4000);
    expect(bench.host.last('sensors').wheelTorqueApplied).toEqual([0.6, 0.6]);
  });
});
