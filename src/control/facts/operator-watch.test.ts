import { describe, expect, it } from 'vitest';
import type { Mode } from '../../messages/mode.ts';
import { OperatorWatch } from './operator-watch.ts';

const moving: Mode = { task: 'moving-straight', controller: 'balancer' };
const standing: Mode = { task: 'standing-still', controller: 'balancer' };

/** A watch at MCU time 10 s, with a mode that has just begun. */
function watching(mode: Mode, timeout = 1000): OperatorWatch {
  const watch = new OperatorWatch(timeout);
  watch.isLost(10e6);
  watch.modeBegins(mode, 'mine');
  return watch;
}

describe('OperatorWatch', () => {
  it('misses the operator of a moving robot after the time of the configuration, and not before', () => {
    const watch = watching(moving);
    expect(watch.isLost(11e6)).toBe(false);
    expect(watch.isLost(11e6 + 1)).toBe(true);
  });

  it('goes on missing the operator when the clock of the motor controller begins anew', () => {
    const watch = new OperatorWatch(1000);
    watch.isLost(3e10);
    watch.modeBegins(moving, 'mine');
    watch.beat('mine', 1);
    expect(watch.isLost(3e10 + 0.5e6)).toBe(false);
    expect(watch.isLost(1e6)).toBe(false);
    expect(watch.isLost(1e6 + 0.6e6)).toBe(true);
  });

  it('is content while heartbeats come', () => {
    const watch = watching(moving);
    for (let second = 11; second < 60; second++) {
      expect(watch.isLost(second * 1e6)).toBe(false);
      watch.beat('mine', second);
    }
  });

  it('counts no heartbeat of another session, none repeated, and none older', () => {
    const watch = watching(moving);
    watch.beat('mine', 5);
    watch.isLost(10.9e6);
    watch.beat('theirs', 6);
    watch.beat('mine', 5);
    watch.beat('mine', 4);
    expect(watch.isLost(11e6 + 1)).toBe(true);
  });

  it('watches nobody while the robot stands, and everybody who asks for a speed', () => {
    expect(watching(standing).isLost(1e9)).toBe(false);
    expect(watching({ ...standing, targetVelocity: 0.1 }).isLost(1e9)).toBe(true);
  });

  it('watches nobody when it is switched off', () => {
    expect(watching(moving, 0).isLost(1e9)).toBe(false);
  });
});
