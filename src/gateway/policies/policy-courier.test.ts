import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyStatus } from '../../messages/mqtt-policy.ts';
import { type Disk, realDisk } from '../../recording/disk.ts';
import { CourierRig, offered, versionOf } from './courier.testing.ts';
import { folderOf } from './incoming.ts';

const files = (rig: CourierRig, name: string) => readdirSync(join(rig.directory, name)).sort();
const BUNDLE = ['manifest.json', 'manifest.sig', 'policy.onnx'];

describe('the courier of policies', () => {
  it('asks for what it lacks, puts the bundle together, tells control and removes what control has copied', async () => {
    const rig = new CourierRig();
    await rig.start();
    const what = offered(5);
    const name = folderOf(what.offer);
    await rig.offer(what);
    expect(rig.wants).toEqual([expect.objectContaining({ to: 'lab', id: 'a-policy', version: 2, attempt: 0 })]);
    expect(rig.told(what)).toMatchObject({ stage: 'offered', reasons: [], from: 'lab', chunks: { have: 0, of: 5 } });
    await rig.serve(what);
    expect(rig.vetted).toEqual([name]);
    expect(files(rig, name)).toEqual(BUNDLE);
    expect(readFileSync(join(rig.directory, name, 'policy.onnx'))).toEqual(what.model);
    expect(readFileSync(join(rig.directory, name, 'manifest.json'), 'utf8')).toBe(what.offer.manifest);
    expect(rig.told(what)).toMatchObject({ stage: 'downloaded' });

    rig.control([versionOf(what, { folder: name, stage: 'self-tested' })]);
    await rig.courier.idle();
    expect(readdirSync(rig.directory)).toEqual([]);
    expect(rig.told(what)).toMatchObject({ stage: 'self-tested', from: 'lab' });
    expect(rig.statuses.at(-1)?.versions).toHaveLength(1);
    for (const status of rig.statuses) expect(policyStatus.parse(status)).toEqual(status);

    // The same offer again: control has it.
    await rig.offer(what);
    expect(rig.wants).toHaveLength(1);
    expect(rig.statuses.at(-1)?.versions).toHaveLength(1);
  });

  it('asks again when nothing comes, less and less often, and gives up in the end', async () => {
    const rig = new CourierRig();
    await rig.start();
    const what = offered(3);
    await rig.offer(what);
    const asked: number[] = [];
    for (let second = 0; second < 700; second++) {
      const before = rig.wants.length;
      await rig.pass(1000);
      if (rig.wants.length > before) asked.push(rig.now);
    }
    const gaps = asked.map((at, index) => at - (asked[index - 1] ?? 0));
    expect(gaps.slice(0, 6)).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000]);
    expect(rig.wants.map(({ attempt }) => attempt)).toEqual([...rig.wants.keys()]);
    // A chunk revives it.
    await rig.chunk(what, 1, what.chunk(1));
    await rig.pass(2000);
    expect(rig.wants.at(-1)?.have).toBe(Buffer.from([2]).toString('base64'));
    for (let hour = 0; hour < 200; hour++) await rig.pass(60_000);
    expect(rig.told(what)).toMatchObject({ stage: 'refused', reasons: [expect.stringContaining('does not answer')] });
    expect(readdirSync(rig.directory)).toEqual([]);
  });

  it('makes the model of chunks in any order, twice, broken, foreign, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.tuple(fc.nat(8), fc.constantFrom('good', 'twice', 'broken', 'short', 'foreign')), {
          maxLength: 40,
        }),
        async (chunks, sent) => {
          const rig = new CourierRig();
          await rig.start();
          const what = offered(chunks);
          await rig.offer(what);
          for (const [n, how] of sent) {
            const bytes = Buffer.from(what.chunk(n % chunks));
            const at = n % chunks;
            if (how === 'foreign') await rig.chunk(what, at, bytes, { sha256: '0'.repeat(64) });
            else if (how === 'short') await rig.chunk(what, at, bytes.subarray(1));
            else if (how === 'broken') await rig.chunk(what, at, bytes, { crc32: '00000000' });
            else await rig.chunk(what, at, bytes);
            if (how === 'twice') await rig.chunk(what, at, bytes);
          }
          await rig.pass(60_000);
          await rig.serve(what, (missing) => missing.toReversed());
          expect(readFileSync(join(rig.directory, folderOf(what.offer), 'policy.onnx'))).toEqual(what.model);
          expect(rig.courier.counters).toMatchObject({ bundles: 1, wrongModels: 0, chunks });
        },
      ),
      { numRuns: 25 },
    );
  });

  it('throws a model away that is not the one that was offered, and takes the right one', async () => {
    const rig = new CourierRig();
    await rig.start();
    const [what, other] = [offered(3), offered(3, { filling: 11 })];
    await rig.offer(what);
    for (let n = 0; n < 3; n++) await rig.chunk(what, n, other.chunk(n));
    expect(rig.vetted).toEqual([]);
    expect(rig.told(what)?.reasons).toEqual([expect.stringContaining('sha256')]);
    await rig.pass(10_000);
    await rig.serve(what);
    expect(rig.vetted).toEqual([folderOf(what.offer)]);
  });

  it('goes on after a restart wherever it was', async () => {
    for (let kept = 0; kept <= 4; kept++) {
      const rig = new CourierRig();
      await rig.start();
      const what = offered(4);
      const name = folderOf(what.offer);
      await rig.offer(what);
      for (let n = 0; n < kept; n++) await rig.chunk(what, n, what.chunk(n));
      if (kept === 2) {
        // One that the dying process wrote half, and a bundle that it was putting together.
        const part = join(rig.directory, `${name}.part`);
        const [torn = ''] = readdirSync(part).filter((file) => file.startsWith('000001'));
        writeFileSync(join(part, torn), what.chunk(1).subarray(0, 100));
      }
      await rig.restart();
      await rig.pass(0);
      if (kept < 4) {
        const have = [0, 0b1, 0b1, 0b111][kept] ?? 0;
        expect(rig.wants.at(-1)?.have, `${kept} kept`).toBe(Buffer.from([have]).toString('base64'));
        await rig.serve(what);
      }
      expect(rig.vetted.at(-1)).toBe(name);
      expect(files(rig, name)).toEqual(BUNDLE);
    }
  });

  it('says why it waits while the disk is full, and goes on when it is not', async () => {
    let room = 0;
    const disk: Disk = {
      ...realDisk,
      create: async (path) => {
        const file = await realDisk.create(path);
        return { ...file, write: (bytes, at) => (room > 0 ? file.write(bytes, at) : Promise.resolve(0)) };
      },
    };
    const rig = new CourierRig(disk);
    await rig.start();
    const what = offered(3);
    await rig.offer(what);
    expect(rig.told(what)).toMatchObject({
      stage: 'offered',
      reasons: [expect.stringMatching(/^disk: the disk is full/)],
    });
    room = 1;
    await rig.pass(2000);
    await rig.chunk(what, 0, what.chunk(0));
    room = 0;
    await rig.chunk(what, 1, what.chunk(1));
    expect(rig.told(what)?.reasons).toEqual([expect.stringMatching(/^disk: the disk is full/)]);
    room = 1;
    await rig.pass(60_000);
    expect(rig.wants.at(-1)?.have).toBe(Buffer.from([1]).toString('base64'));
    await rig.serve(what);
    expect(files(rig, folderOf(what.offer))).toEqual(BUNDLE);
  });

  it('fetches nothing that speaks against itself, and looks again when it is offered again', async () => {
    const rig = new CourierRig();
    rig.reasons = ['signature: nobody knows the key'];
    await rig.start();
    const what = offered(2);
    await rig.offer(what);
    expect(rig.wants).toEqual([]);
    expect(rig.told(what)).toMatchObject({ stage: 'refused', reasons: rig.reasons });
    rig.reasons = [];
    await rig.pass(1000);
    expect(rig.wants).toEqual([]);
    await rig.offer(what);
    expect(rig.wants).toHaveLength(1);
  });

  it('fetches again nothing that control has refused, until another control may think otherwise', async () => {
    const rig = new CourierRig();
    await rig.start();
    const what = offered(1);
    const name = folderOf(what.offer);
    await rig.offer(what);
    await rig.serve(what);
    const { keyId: _, ...stranger } = versionOf(what, { folder: name, stage: 'refused', reasons: ['signature: …'] });
    rig.control([stranger]);
    await rig.courier.idle();
    expect(readdirSync(rig.directory)).toEqual([]);
    expect(rig.told(what)).toMatchObject({ stage: 'refused', reasons: ['signature: …'] });
    await rig.offer(what);
    expect(rig.wants).toHaveLength(1);
    rig.courier.lost();
    rig.control([]);
    await rig.offer(what);
    expect(rig.wants).toHaveLength(2);
  });

  it('keeps a bundle until control answers', async () => {
    const rig = new CourierRig();
    rig.answer = { id: 1, ok: false, refusal: { code: 'too-many-bundles', message: 'wait', remedy: '' } };
    await rig.start();
    const what = offered(1);
    await rig.offer(what);
    await rig.serve(what);
    await rig.pass(1000);
    expect(rig.told(what)).toMatchObject({ stage: 'downloaded', reasons: ['too-many-bundles: wait'] });
    rig.answer = { id: 1, ok: true };
    await rig.pass(20_000);
    await rig.pass(1000);
    expect(rig.vetted).toHaveLength(2);
    expect(rig.told(what)?.reasons).toEqual([]);
    expect(files(rig, folderOf(what.offer))).toEqual(BUNDLE);
  });

  it('reads no offer that is too long, not one, or one of too many', async () => {
    const rig = new CourierRig();
    await rig.start();
    rig.courier.offer(Buffer.alloc(0));
    rig.courier.offer(Buffer.alloc(600 * 1024, 0x20));
    rig.courier.offer(Buffer.from('{"schema":1}'));
    const what = offered(3);
    rig.courier.offer(Buffer.from(JSON.stringify({ ...what.offer, chunks: 2 })));
    expect(rig.courier.counters).toMatchObject({ offers: 3, offersUnread: 3 });
    for (let version = 10; version < 40; version++) {
      rig.now += 1000;
      await rig.offer(offered(1, { version }));
    }
    expect(rig.courier.counters.offersLeftOut).toBeGreaterThan(10);
    expect(rig.statuses.at(-1)?.versions.length).toBeLessThan(12);
  });
});
