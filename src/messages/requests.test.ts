import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeMode, modeSchema } from './mode.ts';
import { answerSchema, commandSchema, requestSchema } from './requests.ts';

/** Paths of everything that a schema has against a value. */
const complaints = (schema: z.ZodType, value: unknown): string[] =>
  (schema.safeParse(value).error?.issues ?? []).flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.')],
  );

describe('a mode', () => {
  it.each([
    [{ task: 'disarmed' }],
    [{ task: 'standing-still', controller: 'balancer' }],
    [{ task: 'moving-straight', controller: 'moving-straight-h2o-1', targetVelocity: -0.2 }],
  ])('is taken as %o', (mode) => {
    expect(modeSchema.parse(mode)).toEqual(mode);
  });

  it.each([
    ['task', { task: 'flying', controller: 'balancer' }],
    ['task', {}],
    ['controller', { task: 'standing-still' }],
    ['controller', { task: 'standing-still', controller: '../balancer' }],
    ['controller', { task: 'standing-still', controller: 'Balancer' }],
    ['controller', { task: 'standing-still', controller: 'a'.repeat(64) }],
    ['targetVelocity', { task: 'standing-still', controller: 'balancer', targetVelocity: 6 }],
    ['targetVelocity', { task: 'standing-still', controller: 'balancer', targetVelocity: Number.NaN }],
    ['targetVelocity', { task: 'standing-still', controller: 'balancer', targetVelocity: '0.2' }],
    ['controller', { task: 'disarmed', controller: 'balancer' }],
    ['speed', { task: 'standing-still', controller: 'balancer', speed: 1 }],
  ])('is refused by the name of its "%s" in %o', (name, mode) => {
    expect(complaints(modeSchema, mode)).toEqual([name]);
  });

  it('is described in a phrase that names task, controller and speed', () => {
    expect(describeMode({ task: 'disarmed' })).toBe('disarmed');
    expect(describeMode({ task: 'standing-still', controller: 'balancer' })).toBe('standing-still under balancer');
    expect(describeMode({ task: 'standing-still', controller: 'balancer', targetVelocity: 0 })).toContain('at 0 m/s');
  });
});

describe('a request', () => {
  it.each([
    [{ request: 'status' }],
    [{ request: 'estop', source: 'anna' }],
    [{ request: 'disarm' }],
    [{ request: 'challenge' }],
    [{ request: 'command', envelope: { anything: 1 } }],
    [{ request: 'subscribe', rows: true, events: false }],
    [{ request: 'acknowledge', sequence: 0 }],
    [{ request: 'acknowledge', sequence: Number.MAX_SAFE_INTEGER }],
    [{ request: 'heartbeat', session: 'a', counter: 0 }],
  ])('is taken as %o', (request) => {
    expect(requestSchema.parse(request)).toEqual(request);
  });

  it.each([
    ['request', { request: 'start' }],
    ['request', {}],
    ['source', { request: 'estop' }],
    ['sequence', { request: 'acknowledge' }],
    ['sequence', { request: 'acknowledge', sequence: -1 }],
    ['sequence', { request: 'acknowledge', sequence: 1.5 }],
    ['sequence', { request: 'acknowledge', sequence: 2 ** 53 }],
    ['session', { request: 'heartbeat', session: '', counter: 0 }],
    ['counter', { request: 'heartbeat', session: 'a', counter: -1 }],
    ['source', { request: 'estop', source: 'x'.repeat(65) }],
    ['rows', { request: 'subscribe', rows: 1, events: true }],
    ['events', { request: 'subscribe', rows: true }],
    ['force', { request: 'disarm', force: true }],
  ])('is refused by the name of its "%s" in %o', (name, request) => {
    expect(complaints(requestSchema, request)).toEqual([name]);
  });

  it('is one of these, none of which changes a key, a role, a limit or a file; and so are signed commands', () => {
    const namesOf = (schema: z.ZodType, key: string) => {
      const { oneOf = [], anyOf = oneOf } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
      return anyOf
        .map((one) => (typeof one === 'object' ? one.properties?.[key] : undefined))
        .map((field) => {
          return typeof field === 'object' ? field.const : undefined;
        });
    };
    const harmless = ['status', 'estop', 'disarm', 'challenge', 'command', 'subscribe', 'heartbeat', 'acknowledge'];
    expect(namesOf(requestSchema, 'request')).toEqual([...harmless, 'recorder', 'policy-vet']);
    expect(namesOf(commandSchema, 'name')).toEqual(['mode', 'reset', 'policy', 'record']);
  });

  it('is refused when it is no object at all', () => {
    for (const value of [null, 1, 'estop', []]) expect(requestSchema.safeParse(value).success).toBe(false);
  });
});

describe('a command', () => {
  it('is a mode or a reset', () => {
    expect(commandSchema.safeParse({ name: 'reset' }).success).toBe(true);
    expect(commandSchema.safeParse({ name: 'mode', mode: { task: 'disarmed' } }).success).toBe(true);
  });

  it.each([
    ['name', { name: 'estop' }],
    ['mode.controller', { name: 'mode', mode: { task: 'standing-still' } }],
    ['mode', { name: 'reset', mode: { task: 'disarmed' } }],
  ])('is refused by the name of its "%s" in %o', (name, command) => {
    expect(complaints(commandSchema, command)).toEqual([name]);
  });
});

describe('an answer', () => {
  it('says yes, or no with a code, words and a remedy', () => {
    const refusal = { code: 'c', message: 'm', remedy: 'r' };
    expect(answerSchema.safeParse({ id: 1, ok: true, stage: 'latched', onDisk: true }).success).toBe(true);
    expect(answerSchema.safeParse({ id: 1, ok: false, refusal }).success).toBe(true);
    expect(answerSchema.safeParse({ id: 1, ok: false }).success).toBe(false);
    expect(answerSchema.safeParse({ id: 1, ok: true, stage: 'done' }).success).toBe(false);
    expect(answerSchema.safeParse({ ok: true }).success).toBe(false);
  });
});
