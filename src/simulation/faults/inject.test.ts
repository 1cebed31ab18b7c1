import { afterEach, describe, expect, it } from 'vitest';
import { loadRobot } from '../../robot/robot.ts';
import type { Exchange } from '../exchange-log.ts';
import { TestHost } from '../host.testing.ts';
import { SimCore } from '../sim-core.ts';
import { faultRequestSchema } from '../sim-requests.ts';

const robot = loadRobot('wheel-legged');
const cores: SimCore[] = [];
afterEach(() => {
  for (const core of cores.splice(0)) core.delete();
});

/** A robot that a hand holds, a host that answers every frame with some torque, and what the MCU sends. */
async function bench(torque = 0) {
  const host = new TestHost(robot);
  const exchanges: Exchange[] = [];
  const queue: Uint8Array[] = [];
  const core = await SimCore.create({
    robot,
    rate: 200,
    hand: true,
    toHost: (bytes) => {
      for (const { kind } of host.receive(bytes)) {
        if (kind === 'sensors') queue.push(host.command({ wheelTorque: [torque, torque] }));
      }
    },
    onExchange: (exchange) => exchanges.push(exchange),
  });
  cores.push(core);
  core.mcu.boot();
  core.receive(host.hello());
  return {
    core,
    host,
    exchanges,
    break: (request: Record<string, unknown>) => core.inject(faultRequestSchema.parse(request)),
    /** [s] */
    run(seconds: number) {
      for (const until = core.elapsed + seconds * 1e6; core.elapsed < until; ) {
        core.advanceTo(core.elapsed + 5000);
        for (const bytes of queue.splice(0)) core.receive(bytes);
      }
    },
  };
}

describe('faults of a simulation', () => {
  it('begin and end in MCU time', async () => {
    const { core, host, run, break: breakIt } = await bench();
    breakIt({ verb: 'sensor', sensor: 'battery', fault: 'off', after: 0.1, seconds: 0.2 });
    run(1);
    const silent = host.all('sensors').map(({ battery }) => battery === 0);
    // frames come every 5 ms from 5 ms on; MCU times 105 to 300 ms
    expect(silent.indexOf(true)).toBe(20);
    expect(silent.lastIndexOf(true)).toBe(59);
    expect(core.broken).toEqual([]);
  });

  it('take the place of one another, and an end that was set for one does not end the next', async () => {
    const { core, run, break: breakIt } = await bench();
    breakIt({ verb: 'sensor', sensor: 'imu', fault: 'stuck', seconds: 0.1 });
    breakIt({ verb: 'sensor', sensor: 'gyro', fault: 'noisy' });
    run(0.2);
    expect(core.broken).toEqual(['gyro noisy']);
    breakIt({ verb: 'sensor', sensor: 'gyro', fault: 'none' });
    expect(core.broken).toEqual([]);
  });

  it('a dead drive gives nothing, and the motor controller does not know', async () => {
    const { host, run, break: breakIt } = await bench(0.2);
    run(0.5);
    expect(host.last('sensors').wheelTorqueMeasured[0]).toBeCloseTo(0.2, 2);
    breakIt({ verb: 'motor', side: 'left', fault: 'dead' });
    run(0.1);
    const { wheelTorqueApplied, wheelTorqueMeasured } = host.last('sensors');
    expect(wheelTorqueApplied).toEqual([0.2, 0.2]);
    expect(wheelTorqueMeasured[0]).toBe(0);
    expect(wheelTorqueMeasured[1]).toBeCloseTo(0.2, 2);
  });

  it('a frozen drive keeps its torque when none is commanded any more', async () => {
    const { core, host, run, break: breakIt } = await bench(0.2);
    run(0.5);
    breakIt({ verb: 'motor', side: 'both', fault: 'frozen' });
    core.receive(host.estop());
    run(0.1);
    expect(core.mcu.state).toBe('estopped');
    expect(host.last('sensors').wheelTorqueMeasured[0]).toBeCloseTo(0.2, 2);
  });

  it('a seized wheel does not turn, and turns again when it is mended', async () => {
    const { core, host, run, break: breakIt } = await bench(1);
    breakIt({ verb: 'motor', side: 'both', fault: 'stuck' });
    run(0.3);
    const speed = () => Math.max(...host.last('sensors').wheelVelocity.map(Math.abs));
    expect(speed()).toBeLessThan(1);
    core.mend();
    run(0.3);
    expect(speed()).toBeGreaterThan(3);
  });

  it('a brown-out silences the motor controller, which comes back as another', async () => {
    const { core, host, exchanges, run, break: breakIt } = await bench();
    run(0.5);
    expect(core.mcu.state).toBe('active');
    const nonce = host.last('hello').nonce;
    const before = exchanges.length;
    breakIt({ verb: 'brown-out', volts: 9, sag: 0.05, off: 0.1 });
    run(0.05);
    expect(host.last('sensors').battery).toBe(9);
    const sent = () =>
      exchanges.slice(before).filter((exchange) => 'sent' in exchange && exchange.sent.kind === 'sensors');
    const atLoss = sent().length;
    expect(atLoss).toBe(10);
    run(0.09);
    expect(sent().length).toBe(atLoss);
    run(0.2);
    expect(host.last('hello').nonce).not.toBe(nonce);
    expect(core.mcu.state).toBe('idle');
    expect(host.last('sensors').battery).toBe(24);
  });

  it('a payload weighs, and its going leaves the robot as it was', async () => {
    const { core, break: breakIt } = await bench();
    const mass = () =>
      core
        .needBody()
        .twin.model.constants()
        .bodyMass.reduce((sum, value) => sum + value, 0);
    const before = mass();
    const position = core.truth();
    breakIt({ verb: 'payload', kilograms: 2, forward: 0.1 });
    expect(mass()).toBeCloseTo(before + 2, 9);
    expect(core.truth()).toMatchObject({ x: position.x, pitch: position.pitch, height: position.height });
    core.mend();
    expect(mass()).toBeCloseTo(before, 9);
  });

  it('mending forgets also what was to come', async () => {
    const { core, run, break: breakIt } = await bench();
    breakIt({ verb: 'link', fault: 'drop', after: 0.1 });
    breakIt({ verb: 'slip', friction: 0.1, after: 0.1 });
    core.mend();
    run(0.2);
    expect(core.broken).toEqual([]);
  });
});
