import { describe, expect, it } from 'vitest';
import type { ArmedMode } from '../../src/messages/mode.ts';
import { reasonsOf } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig } from './rig.ts';

const MOVE: ArmedMode = { task: 'moving-straight', controller: 'balancer' };
/** Ground truth of a robot that holds: it sways [m/s]. */
const AT_REST = 0.05;
const LOST = 'heartbeat-lost';

describe.skipIf(noMosquitto)('a moving robot wants its operator (needs mosquitto)', () => {
  it('holds when the heartbeats stop, and does not move again before a new mode', async () => {
    const broker = await Mosquitto.start();
    // Of MCU time, which in step with the answers goes faster than heartbeats can travel.
    const rig = await Rig.start({ broker, config: { operatorHeartbeat: 3000 } });
    const { robot } = rig;
    const { simulator } = robot;
    await robot.stand();
    const operator = await rig.operator();

    let counter = 0;
    const moves = async (session: string) => {
      await operator.command({ name: 'mode', mode: MOVE, session }, robot.operator);
      await robot.truth('it moves', ({ speed }) => {
        counter += 1;
        operator.heartbeat(session, counter);
        return speed > 0.15;
      });
    };
    const holds = async () => {
      const status = await robot.status('the loss is named', (now) => reasonsOf(now).includes(LOST));
      expect(status).toMatchObject({ state: 'running', mode: MOVE });
      await simulator.wait(3);
      await simulator.request('mark', { name: 'holding' });
      await simulator.wait(2);
      const held = await simulator.measure('holding');
      expect(Math.abs(held.meanSpeed)).toBeLessThan(AT_REST);
      expect(held.falls).toBe(0);
      expect((await simulator.truth()).state).toBe('active');
    };

    await moves('first');
    // From here on what comes is of another session, or has been heard before, or is less than what was heard.
    const beating = setInterval(() => {
      operator.heartbeat('another', 1_000_000 + counter);
      operator.heartbeat('first', counter);
      operator.heartbeat('first', 1);
    }, 20);
    try {
      await holds();
    } finally {
      clearInterval(beating);
    }

    // The right heartbeats are back, and nothing moves by itself.
    const back = setInterval(() => {
      counter += 1;
      operator.heartbeat('first', counter);
    }, 20);
    try {
      await simulator.request('mark', { name: 'still holding' });
      await simulator.wait(3);
      expect(Math.abs((await simulator.measure('still holding')).meanSpeed)).toBeLessThan(AT_REST);
      expect(reasonsOf(await robot.control.status())).toContain(LOST);
    } finally {
      clearInterval(back);
    }

    await moves('second');
    expect(reasonsOf(await robot.control.status())).not.toContain(LOST);
    await holds();
  });

  it('h2o-edge mode moving-straight over the broker moves it for as long as it runs', async () => {
    const broker = await Mosquitto.start();
    // Five heartbeats a second by the clock on the wall: patience for an MCU whose time goes faster.
    const rig = await Rig.start({ broker, config: { operatorHeartbeat: 10_000 } });
    const { robot } = rig;
    await robot.stand();
    await rig.operator();
    await robot.simulator.request('mark', { name: 'moving' });
    const finished = await rig.signed(
      'mode',
      'moving-straight',
      '--controller',
      'balancer',
      '--seconds',
      '3',
      '--json',
    );
    expect(finished.stderr).toBe('');
    expect(finished.code).toBe(0);
    const moved = await robot.simulator.measure('moving');
    expect(moved.distance).toBeGreaterThan(0.3);

    await robot.status('the loss is named', (now) => reasonsOf(now).includes(LOST));
    await robot.truth('it holds', ({ speed }) => Math.abs(speed) < AT_REST);
    expect(await robot.simulator.measure('moving')).toMatchObject({ falls: 0 });
    expect((await robot.control.status()).state).toBe('running');
  });
});
