import { describe, expect, it, onTestFinished } from 'vitest';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig } from './rig.ts';

describe.skipIf(noMosquitto)('a gateway whose control hangs (needs mosquitto)', () => {
  it('does not go on to say that all is well: nothing is known of the robot until control answers again', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, pace: 'real' });
    const listener = await rig.listener();
    await listener.state('online', ({ online }) => online);
    const pid = await rig.robot.controlPid();

    // Its process lives and its socket takes connections; only its loop stands still.
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It has ended by itself.
      }
    });
    const unknown = await listener.state('nothing is known of the robot', ({ online }) => !online);
    expect(unknown).toMatchObject({ problem: expect.stringMatching(/control did not answer/) });
    expect(rig.gateway?.ended).toBe(false);
    const newcomer = await rig.listener();
    await newcomer.state('kept by the broker', ({ online }) => !online);

    process.kill(pid, 'SIGCONT');
    await listener.state('known again', (state) => state.online && state.state === 'disarmed');
  });
});
