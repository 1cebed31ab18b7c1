import { expect, it } from 'vitest';
import { Patience } from './patience.ts';

const unbroken = new Promise<never>(() => {});

it('tells what was waited for, and what there was instead', async () => {
  const patience = new Patience(1, unbroken);
  let looks = 0;
  const waiting = patience.until(
    'the moon',
    0.01,
    () => {
      looks += 1;
      return undefined;
    },
    () => `${looks > 0 ? 'clouds' : 'nothing'}`,
  );
  await expect(waiting).rejects.toMatchObject({
    codeName: 'scenarioFailed',
    message: expect.stringMatching(/in vain for the moon \(clouds\)/),
  });
});

it('bounds a look that hangs, and what ends by itself, by the time of the whole', async () => {
  const patience = new Patience(0, unbroken);
  const hangs = () => new Promise<undefined>(() => {});
  await expect(patience.until('a look', 1000, hangs)).rejects.toMatchObject({
    message: expect.stringContaining('a look'),
    remedy: expect.stringContaining('--minutes'),
  });
  await expect(patience.bound('an end', 1000, hangs())).rejects.toThrow('an end');
});

it('gives what came, and ends with what everything depends on', async () => {
  let looks = 0;
  expect(await new Patience(1, unbroken).until('three', 60, () => (++looks === 3 ? 'here' : undefined))).toBe('here');
  const broken = Promise.reject(new Error('the trainer ended'));
  await expect(new Patience(1, broken).until('it', 60, () => undefined)).rejects.toThrow('the trainer ended');
});
