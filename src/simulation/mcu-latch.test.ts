import { describe, expect, it } from 'vitest';
import { Faults } from '../protocol/messages.gen.ts';
import { loadRobot } from '../robot/robot.ts';
import { TestBench } from './host.testing.ts';

const robot = loadRobot('wheel-legged');

describe("the virtual MCU's latch", () => {
  it('turns the torque off at an e-stop from anybody, echoes at once and ten times a second', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.mcu.receive(bench.host.estop());
    expect(bench.host.last('estopEcho')).toMatchObject({ latch: 1, estopSequence: 0, latchedAt: 10_000 });
    bench.mcu.advance(1000);
    expect(bench.plant.torques).toEqual({ wheels: [0, 0], legs: [0, 0, 0, 0] });
    bench.run(200, () => bench.host.command());
    expect(bench.mcu.state).toBe('estopped');
    expect(bench.host.all('estopEcho')).toHaveLength(11);
  });

  it('stops without any hello', () => {
    const bench = new TestBench(robot);
    bench.mcu.receive(bench.host.estop());
    expect(bench.mcu.state).toBe('estopped');
  });

  it('is cleared only by the session in charge, by its newest number', () => {
    const bench = new TestBench(robot);
    bench.mcu.receive(bench.host.hello());
    bench.mcu.receive(bench.host.estop());
    bench.mcu.receive(bench.host.estop());
    expect(bench.host.last('estopEcho')).toMatchObject({ latch: 2, estopSequence: 1 });
    bench.mcu.receive(bench.host.clear(1));
    bench.mcu.receive(bench.host.clear(3));
    bench.mcu.receive(bench.host.clear(2, 1));
    expect(bench.mcu.state).toBe('estopped');
    bench.mcu.receive(bench.host.clear(2));
    expect(bench.mcu.state).toBe('idle');
    // a repeated clear, and one that comes after a newer stop
    bench.mcu.receive(bench.host.estop());
    bench.mcu.receive(bench.host.clear(2));
    expect(bench.mcu.state).toBe('estopped');
  });

  it('latches on a fault bit and is not cleared while the bit is set', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.mcu.setFaults(Faults.overCurrent);
    expect(bench.mcu.state).toBe('faulted');
    expect(bench.host.last('fault')).toMatchObject({ cause: 'fault', latch: 1, faults: Faults.overCurrent });
    bench.mcu.setFaults(Faults.overCurrent | Faults.imu);
    expect(bench.host.all('fault')).toHaveLength(1);
    bench.run(1);
    expect(bench.host.last('sensors').faults).toBe(Faults.overCurrent | Faults.imu);
    bench.mcu.receive(bench.host.clear(1));
    expect(bench.mcu.state).toBe('faulted');
    bench.mcu.setFaults(0);
    expect(bench.mcu.state).toBe('faulted');
    bench.mcu.receive(bench.host.clear(1));
    expect(bench.mcu.state).toBe('idle');
  });

  it('keeps an e-stop named over a fault, and falls back to the fault when the stop is cleared', () => {
    const bench = new TestBench(robot);
    bench.arm();
    bench.mcu.receive(bench.host.estop());
    bench.mcu.setFaults(Faults.imu);
    expect(bench.mcu.state).toBe('estopped');
    bench.mcu.receive(bench.host.clear(1));
    expect(bench.mcu.state).toBe('faulted');
    expect(bench.host.last('fault')).toMatchObject({ latch: 2, faults: Faults.imu });
    bench.mcu.receive(bench.host.estop());
    expect(bench.host.last('estopEcho').latch).toBe(3);
  });
});
