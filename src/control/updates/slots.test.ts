import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as versions from './slots.ts';
import { SlotsFile } from './slots-file.ts';

const now = 1;
const selfTest = { pairs: 4, extremes: 9, p50Us: 1, p99Us: 2, budgetUs: 3 };
const replayed = { decisions: 1, outside: 0, outsideBefore: 0, rms: 0, max: 0 };
const bundle = (version: number, { id = 'a', keyId = 'k', content = '' } = {}): versions.Verified => ({
  id,
  version,
  sha256: `model ${version}${content}`,
  manifest: `manifest ${version}${content}`,
  spec: 'spec',
  keyId,
});
const all = () => true;
const must = (outcome: versions.Outcome): versions.Slots => {
  if (versions.isRefused(outcome)) throw new Error(outcome.refused);
  return outcome;
};
const TESTS = ['self-tested', 'replayed', 'eligible'] as const;
const eligible = (slots: versions.Slots, version: number, id = 'a'): versions.Slots =>
  TESTS.reduce<versions.Slots>(
    (after, stage) => must(versions.passed(after, id, version, stage, now)),
    must(versions.verified(slots, bundle(version, { id }), all, now)),
  );

type Step = (slots: versions.Slots) => versions.Outcome;
const ids = fc.constantFrom('a', 'b');
const number = fc.integer({ min: 1, max: 8 });
const step: fc.Arbitrary<{ readonly name: string; readonly run: Step }> = fc.oneof(
  fc
    .record({ id: ids, version: number, keyId: fc.constantFrom('k', 'l'), content: fc.constantFrom('', '*') })
    .map((of) => ({
      name: `offer ${JSON.stringify(of)}`,
      run: (slots: versions.Slots) => versions.verified(slots, bundle(of.version, of), all, now),
    })),
  fc.tuple(ids, number).map(([id, version]) => ({
    name: `bring ${id} ${version}`,
    run: (slots: versions.Slots) => {
      const verified = versions.verified(slots, bundle(version, { id }), all, now);
      return versions.isRefused(verified) ? verified : eligible(slots, version, id);
    },
  })),
  ...TESTS.map((stage) =>
    fc.tuple(ids, number).map(([id, version]) => ({
      name: `${stage} ${id} ${version}`,
      run: (slots: versions.Slots) => versions.passed(slots, id, version, stage, now, { selfTest, replayed }),
    })),
  ),
  fc.tuple(ids, number).map(([id, version]) => ({
    name: `activate ${id} ${version}`,
    run: (slots: versions.Slots) => versions.activated(slots, id, version, now),
  })),
  fc.tuple(ids, number).map(([id, version]) => ({
    name: `refuse ${id} ${version}`,
    run: (slots: versions.Slots) => versions.refused(slots, id, version, ['x: y'], now),
  })),
  fc.tuple(ids, number).map(([id, version]) => ({
    name: `shadow ${id} ${version}`,
    run: (slots: versions.Slots) => versions.shadowed(slots, id, version, now),
  })),
  fc.constant({ name: 'commit', run: (slots: versions.Slots) => versions.committed(slots, now) }),
  fc.tuple(ids, fc.boolean()).map(([id, failed]) => ({
    name: `roll back ${id} ${failed}`,
    run: (slots: versions.Slots) => versions.rolledBack(slots, { id, reason: 'x: y', failed }, now),
  })),
  fc.constant({ name: 'crash', run: (slots: versions.Slots) => versions.restarted(slots, now) }),
  fc.tuple(ids, fc.integer({ min: 1, max: 3 })).map(([id, version]) => ({
    name: `folder ${id} ${version}`,
    run: (slots: versions.Slots) => versions.found(slots, bundle(version, { id }), all, now),
  })),
);

it('runs only what was verified and tested, at most one on trial, and never an older one but by a rollback', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let slots = versions.NO_SLOTS;
      const tested = new Set<string>();
      const failed = new Set<string>();
      for (const { name, run } of steps) {
        const outcome = run(slots);
        if (versions.isRefused(outcome)) continue;
        const before = slots;
        slots = outcome;
        for (const [id, { active, previous, versions: records }] of Object.entries(slots.slots)) {
          for (const { version, stage, from } of records) {
            if (stage === 'eligible' || from === 'folder') tested.add(`${id} ${version}`);
          }
          const was = versions.slotOf(before, id);
          const isBack = name.startsWith('roll back') || name === 'crash';
          if (isBack && active !== was.active) {
            expect(active).toBe(was.previous);
            const gone = versions.recordOf(slots, id, was.active);
            if (gone?.failed) failed.add(`${id} ${was.active}`);
          } else if (was.active !== null) expect(active ?? 0).toBeGreaterThanOrEqual(was.active);
          for (const one of [active, previous]) {
            if (one === null) continue;
            // What is active, and what it returns to, has passed everything and has never failed.
            expect(tested.has(`${id} ${one}`)).toBe(true);
            expect(failed.has(`${id} ${one}`)).toBe(false);
            expect(['active', 'committed', 'superseded']).toContain(versions.recordOf(slots, id, one)?.stage);
          }
          expect(previous === null || previous !== active).toBe(true);
          expect(new Set(records.map(({ version }) => version)).size).toBe(records.length);
          const onTrial = records.filter(({ stage }) => stage === 'active');
          expect(onTrial.map(({ version }) => version)).toEqual(slots.trial?.id === id ? [slots.trial.version] : []);
          // Whoever keeps the disk tidy never takes what a rollback needs.
          const gone = versions.unwanted(slots, 2).filter((one) => one.id === id);
          for (const { version } of gone) expect([active, previous]).not.toContain(version);
        }
        for (const [keyId, highest] of Object.entries(before.ratchet)) {
          for (const [id, version] of Object.entries(highest)) {
            expect(slots.ratchet[keyId]?.[id]).toBeGreaterThanOrEqual(version);
          }
        }
      }
      expect(versions.restarted(slots, now).trial).toBeNull();
    }),
    { numRuns: 1000 },
  );
});

it('a key that signed far too high a number holds up only itself, once it is no longer trusted', () => {
  const far = must(versions.verified(versions.NO_SLOTS, bundle(2 ** 40, { keyId: 'stolen' }), all, now));
  expect(versions.isRefused(versions.verified(far, bundle(3), all, now))).toBe(true);
  expect(versions.isRefused(versions.verified(far, bundle(3), (keyId) => keyId !== 'stolen', now))).toBe(false);
});

it('the same model that sees or acts in another way is refused: rows could not tell the two apart', () => {
  const slots = eligible(versions.NO_SLOTS, 1);
  const twin = { ...bundle(2), sha256: bundle(1).sha256, spec: 'another' };
  expect(versions.verified(slots, twin, all, now)).toEqual({ refused: expect.stringMatching(/^model: /) });
});

it('a version whose bytes are gone gives way to the one before it', () => {
  let slots = must(versions.activated(eligible(versions.NO_SLOTS, 1), 'a', 1, now));
  slots = versions.committed(slots, now);
  slots = must(versions.activated(eligible(slots, 2), 'a', 2, now));
  slots = versions.committed(slots, now);
  const after = versions.unloadable(slots, 'a', 2, ['store: gone'], now);
  expect(versions.slotOf(after, 'a')).toMatchObject({ active: 1, previous: null });
  expect(versions.recordOf(after, 'a', 2)?.stage).toBe('refused');
});

it('slots come back from the disk as they were, and what is not theirs is not taken for them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slots-'));
  try {
    const file = new SlotsFile(join(folder, 'deep', 'slots.json'));
    expect(file.load()).toEqual(versions.NO_SLOTS);
    // As control has it: with more in it than a record keeps.
    const summary = { ...bundle(1), task: 'standing-still', bytes: 3 };
    let slots = must(versions.verified(versions.NO_SLOTS, summary, all, now));
    slots = must(versions.passed(slots, 'a', 1, 'self-tested', now, { selfTest }));
    slots = must(versions.passed(slots, 'a', 1, 'replayed', now, { replayed }));
    slots = must(versions.activated(must(versions.passed(slots, 'a', 1, 'eligible', now)), 'a', 1, now));
    expect(await file.save(slots)).toBe(true);
    expect(file.load()).toEqual(slots);
    writeFileSync(join(folder, 'deep', 'slots.json'), '{"slots":');
    expect(file.load()).toMatch(/not what control has written/);
    rmSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'deep'), '');
    expect(await file.save(slots)).toBe(false);
    expect(file.problem).not.toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
