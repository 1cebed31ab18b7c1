import { describe, expect, it } from 'vitest';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig } from './rig.ts';

describe.skipIf(noMosquitto)('the state on the broker (needs mosquitto)', () => {
  it('says that the robot is offline when the gateway is killed or stopped, and that it is online when it is back', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, pace: 'real' });
    const listener = await rig.listener();
    await listener.state('online', ({ online }) => online);

    await rig.gateway?.kill();
    const will = await listener.state('the last will', ({ online }) => !online);
    expect(will).toMatchObject({ online: false, problem: expect.stringContaining('lost its connection') });
    const newcomer = await rig.listener();
    await newcomer.state('kept by the broker', ({ online }) => !online);
    expect(newcomer.heard.find(({ on }) => on === 'state')?.retain).toBe(true);

    rig.startGateway();
    await listener.state('online again', ({ online }) => online);
    await rig.gateway?.stop();
    expect(await listener.state('offline', ({ online }) => !online)).toMatchObject({
      problem: expect.stringContaining('was stopped'),
    });

    rig.startGateway();
    await listener.state('online once more', ({ online }) => online);
    await rig.robot.killControl();
    // The gateway itself is there and says what it knows.
    const orphaned = await listener.state('nothing is known of the robot', ({ online }) => !online);
    expect(orphaned).toMatchObject({ problem: expect.stringMatching(/control/) });
    await rig.robot.startControl();
    await listener.state('known again', (state) => state.online && state.state === 'disarmed');
  });
});
