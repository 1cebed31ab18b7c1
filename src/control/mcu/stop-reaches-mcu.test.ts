import { beforeEach, describe, expect, it } from 'vitest';
import { type RobotControlRig, robotControlRig } from '../control-rig.testing.ts';
import { accept, frameOf, mcuHello } from '../frames.testing.ts';

let rig: RobotControlRig;
beforeEach(() => {
  rig = robotControlRig();
});

/** Stop frames that have gone out of the port. */
const stops = () => rig.tap.count('estop');
/** Another host is in charge of the MCU: `sensors` are not for us, and the MCU answers our greeting with its nonce. */
const anotherHostTakesOver = () => rig.session.receive(frameOf(mcuHello({ peerNonce: 4711 })));

describe('a stop', () => {
  it('that was asked for while nothing was plugged in goes out when the port opens, before the MCU has greeted', () => {
    rig.tap.open = false;
    void rig.control.estop('anna');
    rig.pass(1000);
    expect(stops()).toBe(0);
    rig.tap.open = true;
    rig.session.opened();
    rig.control.linkChanged(true);
    expect(stops()).toBe(1);
  });

  it('that was asked for after the port was lost goes out when it is opened again', () => {
    rig.run();
    rig.control.linkChanged(false);
    rig.session.closed();
    rig.tap.open = false;
    void rig.control.estop('anna');
    rig.tap.open = true;
    rig.session.opened();
    rig.control.linkChanged(true);
    expect(stops()).toBe(1);
  });

  it('goes out at once although another host is in charge', () => {
    rig.settle();
    anotherHostTakesOver();
    expect(rig.session.state).toBe('foreign');
    void rig.control.estop('anna');
    expect(stops()).toBe(1);
  });

  it.each<[string, () => void]>([
    ['the MCU has never answered', () => rig.session.opened()],
    ['another host is in charge', anotherHostTakesOver],
    [
      'the MCU speaks another version',
      () => {
        rig.session.opened();
        accept(rig.session, { schemaHash: 1 });
      },
    ],
  ])('goes on by the clock, without a single frame, while %s', (_when, happens) => {
    rig.settle();
    happens();
    void rig.control.estop('anna');
    const before = stops();
    rig.pass(500);
    expect(stops() - before).toBe(10);
  });

  it('goes on until it is echoed, and goes on again when the echoes stay away for 300 ms', () => {
    rig.settle();
    void rig.control.estop('anna');
    rig.pass(200);
    expect(stops()).toBe(5);
    rig.echo(1);
    rig.pass(250);
    expect(stops()).toBe(5);
    rig.echo(1);
    rig.pass(250);
    expect(stops()).toBe(5);
    rig.pass(200);
    expect(stops()).toBeGreaterThan(5);
  });

  it('is not taken for followed because a frame says so: only an echo ends it', () => {
    rig.settle();
    void rig.control.estop('anna');
    const before = stops();
    rig.frames(40, { state: 'estopped' });
    expect(stops()).toBeGreaterThan(before);
  });

  it('is sent by nobody who did not stop', () => {
    rig.run();
    rig.pass(1000);
    rig.control.linkChanged(false);
    rig.control.linkChanged(true);
    anotherHostTakesOver();
    rig.pass(1000);
    expect(stops()).toBe(0);
  });
});
