import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError } from '../errors.ts';
import { commentedDefaults, configSchema, loadConfig } from './config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2o-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(text: string) {
  const path = join(folder, 'robot.yaml');
  writeFileSync(path, text);
  return loadConfig(path);
}

/** The error that a file of this text ends in. */
function refusal(text: string): EdgeError {
  try {
    load(text);
  } catch (error) {
    if (error instanceof EdgeError) return error;
    throw error;
  }
  throw new Error('the file was taken');
}

describe('the configuration', () => {
  it('has a default for every key', () => {
    expect(configSchema.parse({})).toMatchObject({
      name: 'robot-1',
      robot: 'wheel-legged',
      serial: { path: '/dev/h2o-mcu', baudRate: 921_600 },
      logLevel: 'info',
    });
  });

  it('that `init` writes is the defaults, with a comment for every key', () => {
    expect(load(commentedDefaults())).toEqual(load('name: robot-1'));
    const lines = commentedDefaults().split('\n');
    const keys = [...Object.keys(configSchema.shape), 'path', 'baudRate'];
    for (const key of keys) {
      const line = lines.findIndex((text) => new RegExp(`^ *#?${key}:`).test(text));
      expect(line, key).toBeGreaterThan(0);
      expect(lines[line - 1]?.trim(), key).toMatch(/^# \S/);
    }
  });

  it('that `init` writes holds no default: one that a later release moves is not kept by an old file', () => {
    const written = commentedDefaults().split('\n');
    const values = written.filter((line) => /^ *\w+: *\S/.test(line)).map((line) => line.trim().split(':')[0]);
    expect(values).toEqual(['name', 'robot', 'path']);
    // What is behind the mark are the defaults all the same: without it the file says what it said before.
    expect(load(written.map((line) => line.replace(/^( *)#(?=\w+:)/, '$1')).join('\n'))).toEqual(load('name: robot-1'));
  });

  it('finds the files that it names beside itself, wherever the program was started', () => {
    expect(
      load(
        'robot: ./my-robot.yaml\nruntimeDirectory: run\nstateDirectory: ../state\npolicies: [a, /b]\ntrust: keys/t.yaml',
      ),
    ).toMatchObject({
      robot: join(folder, 'my-robot.yaml'),
      runtimeDirectory: join(folder, 'run'),
      stateDirectory: join(folder, '../state'),
      policies: [join(folder, 'a'), '/b'],
      trust: join(folder, 'keys/t.yaml'),
    });
  });

  it('leaves the name of a robot that ships as it is', () => {
    expect(load('robot: wheel-legged').robot).toBe('wheel-legged');
  });

  it('keeps the other half of a group when one key of it is given', () => {
    expect(load('serial:\n  path: /dev/ttyUSB0').serial).toEqual({ path: '/dev/ttyUSB0', baudRate: 921_600 });
  });
});

describe('a configuration that is not right', () => {
  it.each([
    ['a name with a space', 'logLevel: info\nname: my robot', 2, 'name'],
    ['a baud rate that is text', 'name: a\n\nserial:\n  baudRate: fast', 4, 'serial.baudRate'],
    ['a baud rate out of range', 'serial:\n  path: /dev/x\n  baudRate: 100', 3, 'serial.baudRate'],
    ['a list with a number in it', 'policies:\n  - a\n  - 7', 3, 'policies.1'],
    ['a priority beyond what the kernel gives', 'realTimePriority: 99', 1, 'realTimePriority'],
    ['a level that does not exist', '# comment\n\nlogLevel: loud', 3, 'logLevel'],
  ])('with %s is refused by file, line and key', (_what, text, line, key) => {
    const error = refusal(text);
    expect(error.codeName).toBe('configInvalid');
    expect(error.message).toMatch(new RegExp(`^${join(folder, 'robot.yaml')}:${line}: ${key}: .`));
  });

  it('names every wrong key at once', () => {
    const { message } = refusal('name: A\nlogLevel: loud');
    expect(message.split('\n')).toHaveLength(2);
    expect(message).toContain(':1: name:');
    expect(message).toContain(':2: logLevel:');
  });

  it('names a key that it does not know', () => {
    expect(refusal('name: a\nbaudrate: 115200').message).toContain('baudrate');
    expect(refusal('serial:\n  baudrate: 115200').message).toContain('baudrate');
  });

  it('with a key twice is refused at the line of the second', () => {
    expect(refusal('name: a\nlogLevel: info\nname: b').message).toContain(`${join(folder, 'robot.yaml')}:3: `);
  });

  it('that is no YAML is refused at the line where it breaks', () => {
    expect(refusal('name: a\npolicies: [a\nlogLevel: info').message).toMatch(/robot\.yaml:[23]: /);
  });

  it('that is not there is named', () => {
    const path = join(folder, 'missing.yaml');
    expect(() => loadConfig(path)).toThrow(expect.objectContaining({ codeName: 'fileUnreadable' }));
    expect(() => loadConfig(path)).toThrow(path);
  });
});
