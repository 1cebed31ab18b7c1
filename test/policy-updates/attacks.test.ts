import type { KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateKeyPair, writePrivateKey } from '../../src/keys/key-pair.ts';
import type { OnnxModel, OnnxNode } from '../../src/policy/onnx-format.ts';
import { writeNonFiniteBundle, writeSlowBundle } from '../bundles.ts';
import { Mosquitto, noMosquitto } from '../gateway/mosquitto.ts';
import { Rig } from '../gateway/rig.ts';
import { h2oEdge, lastLine, temporaryFolder, until } from '../harness.ts';
import { Offering } from './offering.ts';
import { flipBit, ID, writeVersion } from './versions.ts';

const MODE = { task: 'standing-still', controller: ID } as const;

const graphOf = (model: OnnxModel) => {
  const [graph] = model.graph;
  if (!graph) throw new Error('no graph');
  return graph;
};
const withNode = (model: OnnxModel, node: OnnxNode): OnnxModel => {
  const graph = graphOf(model);
  return { ...model, graph: [{ ...graph, node: [...graph.node, node] }] };
};

interface Attack {
  readonly what: string;
  readonly refusedFor: RegExp;
  readonly write: (folder: string, keys: { release: KeyObject; operator: KeyObject }) => unknown;
}

/** Version 5 is there when they come. */
const ATTACKS: readonly Attack[] = [
  {
    what: 'unsigned',
    refusedFor: /^signature: .*not trusted/,
    write: async (folder, { release }) => {
      await writeVersion(folder, { release, version: 11 });
      writeFileSync(join(folder, 'manifest.sig'), '{"keyId":"","signature":""}');
    },
  },
  {
    what: 'signed by somebody',
    refusedFor: /^signature: key "[0-9a-f]+" is not trusted/,
    write: (folder) => writeVersion(folder, { release: generateKeyPair().privateKey, version: 12 }),
  },
  {
    what: "signed with an operator's key",
    refusedFor: /not trusted to release policies/,
    write: (folder, { operator }) => writeVersion(folder, { release: operator, version: 13 }),
  },
  {
    what: 'older',
    refusedFor: /^version: 4 is not above 5/,
    write: (folder, { release }) => writeVersion(folder, { release, version: 4 }),
  },
  {
    what: 'expired',
    refusedFor: /^expired: /,
    write: (folder, { release }) =>
      writeVersion(folder, { release, version: 14, draft: { expires: '2020-01-01T00:00:00Z' } }),
  },
  {
    what: "another robot's",
    refusedFor: /^robot: made for "other"/,
    write: (folder, { release }) => writeVersion(folder, { release, version: 15, draft: { robot: 'other' } }),
  },
  {
    what: 'one bit of it changed',
    refusedFor: /^model: .*sha256/,
    write: async (folder, { release }) => {
      await writeVersion(folder, { release, version: 16 });
      flipBit(folder);
    },
  },
  {
    what: 'with weights in another file',
    refusedFor: /graph: .*other files/,
    write: (folder, { release }) =>
      writeVersion(folder, {
        release,
        version: 17,
        model: (model) => {
          const graph = graphOf(model);
          const initializer = graph.initializer.map(({ float_data: _, raw_data: __, ...one }) => ({
            ...one,
            data_location: 1,
            external_data: [{ key: 'location', value: '../../estop' }],
          }));
          return { ...model, graph: [{ ...graph, initializer }] };
        },
      }),
  },
  {
    what: 'with a loop',
    refusedFor: /operators: Loop is not allowed/,
    write: (folder, { release }) =>
      writeVersion(folder, {
        release,
        version: 18,
        model: (model) => withNode(model, { op_type: 'Loop', input: ['observation'], output: ['forever'] }),
      }),
  },
  {
    what: 'that answers NaN',
    refusedFor: /extreme observations/,
    write: (folder, { release }) => writeNonFiniteBundle(join(folder, '..'), 'not-a-number', 0.25, release),
  },
  {
    what: 'slow',
    refusedFor: /latency/,
    write: (folder, { release }) => writeSlowBundle(join(folder, '..'), 'slow', 8, release),
  },
];

describe.skipIf(noMosquitto)('policies that attack a robot which stands (needs mosquitto)', () => {
  it('are refused or rolled back, each with its reason, and it goes on standing', async () => {
    const broker = await Mosquitto.start();
    let release: KeyObject | undefined;
    const rig = await Rig.start({
      broker,
      bundles: async (folder, key) => {
        release = key;
        await writeVersion(join(folder, ID), { release: key, version: 1 });
      },
      config: {
        policyLatencyBudget: 1,
        policyUpdates: {
          activation: 'operator',
          shadowSeconds: 1,
          trialSeconds: 60,
          keepVersions: 5,
          maxMegabytes: 200,
        },
      },
    });
    const { robot } = rig;
    if (!release) throw new Error('no bundle was written');
    const keys = { release, operator: robot.operator };
    const folder = temporaryFolder();
    const key = join(folder, 'release.pem');
    writePrivateKey(key, release);
    await rig.operator();
    const fine = async (command: Promise<{ code: number | null; stdout: string; stderr: string }>) => {
      const finished = await command;
      expect(finished, finished.stderr + finished.stdout).toMatchObject({ code: 0 });
      return lastLine(finished);
    };

    // A good one, by the command line: signed anew, looked at, tried here, brought there. It also has the process that tries
    // policies started, which a robot does not do once it stands.
    const good = await writeVersion(join(folder, 'good'), {
      release: generateKeyPair().privateKey,
      version: 5,
      weight: (weight) => 1.02 * weight,
    });
    const trust = ['--trust', join(robot.folder, 'trust.yaml'), '--robot', 'wheel-legged', '--json'];
    const untrusted = await h2oEdge(['policy', 'verify', good, ...trust]);
    expect(lastLine(untrusted)).toMatchObject({ ok: false, id: ID, reasons: [expect.stringMatching(/^signature/)] });
    expect(await fine(h2oEdge(['policy', 'sign', good, '--key', key, '--json']))).toMatchObject({ ok: true, id: ID });
    expect(await fine(h2oEdge(['policy', 'inspect', good, '--json']))).toMatchObject({
      id: ID,
      version: 5,
      signature: { signed: true },
    });
    expect(await fine(h2oEdge(['policy', 'verify', good, ...trust]))).toMatchObject({ ok: true, reasons: [] });
    expect(await fine(rig.remotely('policy', 'push', good, '--until', 'eligible', '--json'))).toMatchObject({
      ok: true,
      version: 5,
      stage: 'eligible',
    });

    await robot.stand(MODE);
    await robot.simulator.request('mark', { name: 'attacked' });
    for (const [index, { what, refusedFor, write }] of ATTACKS.entries()) {
      const parent = join(folder, String(index));
      mkdirSync(parent);
      await write(join(parent, 'bundle'), keys);
      const [name = ''] = readdirSync(parent);
      const refused = await new Offering(broker, join(parent, name)).becomes('refused');
      expect(refused.reasons.join('\n'), what).toMatch(refusedFor);
    }

    // Told that it is far too long, or that it is nothing at all.
    const listener = await rig.listener();
    const manifest = '{}';
    const huge = { schema: 1, from: 'x', id: ID, version: 99, manifest, signature: '{}', chunkBytes: 1024, chunks: 99 };
    await listener.say('policy/offer', JSON.stringify({ ...huge, model: { sha256: '0'.repeat(64), bytes: 1e9 } }));
    await listener.say('policy/offer', Buffer.alloc(700_000, 0x20));
    await until('both are said to be unread', () => (rig.gateway?.log.match(/policy-offer-unread/g)?.length ?? 0) >= 2);
    // Said once more, it changes nothing.
    const again = await new Offering(broker, good).becomes('eligible');
    expect(again.reasons).toEqual([]);

    // One that throws the robot over: everything about it is right but what it does.
    const thrower = await writeVersion(join(folder, 'thrower'), { release, version: 30, weight: (weight) => -weight });
    await fine(rig.remotely('policy', 'push', thrower, '--until', 'eligible', '--json'));
    await fine(rig.signed('policy', 'shadow', `${ID}@30`, '--json'));
    const find = (version: number) => async () =>
      (await robot.control.status()).policies.find((one) => one.id === ID && one.version === version);
    await until('its shadow is complete', async () => {
      const seen = await find(30)();
      return seen?.stage === 'eligible' && (seen.shadow?.seconds ?? 0) >= 1;
    });
    await fine(rig.signed('policy', 'activate', `${ID}@30`, '--json'));
    const back = await until('it is rolled back', async () => {
      const seen = await find(30)();
      return seen?.stage === 'rolled-back' && seen;
    });
    expect(back.reasons.join()).not.toBe('');
    await robot.simulator.wait(2);
    expect(await robot.simulator.measure('attacked')).toMatchObject({ falls: 0 });
    const status = await robot.control.status();
    expect(status).toMatchObject({ state: 'running', mode: MODE });
    expect(status.counters.answered).toBe(status.counters.frames);

    const listed = await rig.remotely('policy', 'list');
    expect(listed.stdout).toContain(`* ${ID}@1`);
    expect(listed.stdout).toContain(`${ID}@30  rolled-back`);
    expect(await fine(rig.remotely('policy', 'list', '--json'))).toMatchObject({ ok: true });
    expect((await rig.signed('policy', 'rollback', 'nobody')).stderr).toMatch(/no version of "nobody"/);
    expect((await rig.signed('policy', 'activate', 'nonsense')).stderr).toMatch(/ID@VERSION/);
  });
});
