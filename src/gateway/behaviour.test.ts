import { expect, it } from 'vitest';
import type { ArmedMode } from '../messages/mode.ts';
import { statusOf } from '../messages/status.testing.ts';
import { behaviourOf } from './behaviour.ts';

const goodStatus = statusOf();

const exploration = {
  seed: 7,
  episode: 3,
  wander: 0.3,
  wanderTime: 0.2,
  white: 0.2,
  mostTorque: 1,
  setPoint: 0.3,
  setPointTime: 5,
};
const mode: ArmedMode = { task: 'moving-straight', controller: 'balancer', targetVelocity: 0.1, exploration };

it('a segment says how its rows came to be, the same for every start of one collection', () => {
  const behaviour = behaviourOf(mode, goodStatus);
  expect(behaviour).toMatchObject({
    task: 'moving-straight',
    controller: 'balancer',
    targetVelocity: '0.1',
    model: goodStatus.robot,
    firmware: goodStatus.mcu.peer,
  });
  const { episode: _, ...noise } = exploration;
  expect(JSON.parse(behaviour?.exploration ?? '')).toEqual(noise);
  expect(behaviourOf({ ...mode, exploration: { ...exploration, episode: 4 } }, goodStatus)).toEqual(behaviour);
  expect(behaviourOf({ ...mode, exploration: { ...exploration, seed: 8 } }, goodStatus)).not.toEqual(behaviour);
});

it('says nothing of a robot that does nothing, and only what it knows', () => {
  expect(behaviourOf({ task: 'disarmed' }, goodStatus)).toBeUndefined();
  expect(behaviourOf({ task: 'standing-still', controller: 'balancer' }, undefined)).toEqual({
    task: 'standing-still',
    controller: 'balancer',
  });
});
