import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AuditRecord,
  type ChainHead,
  chainLine,
  headText,
  LONGEST_DETAILS,
  NO_ENTRY,
  parseHead,
  readLine,
} from './chain.ts';
import { type AuditLine, checkChain, PRUNED } from './check-chain.ts';

const record = (event: string, details: Record<string, unknown> = {}, who = ''): AuditRecord => ({
  boot: 'b00t',
  wall: 1_700_000_000_000,
  mono: 12.5,
  event,
  who,
  details,
});

function chainOf(records: readonly AuditRecord[], from: ChainHead = NO_ENTRY) {
  let head = from;
  const texts = records.map((one) => {
    const next = chainLine(head, one);
    head = next.head;
    return next.line;
  });
  return { texts, head };
}

const linesOf = (texts: readonly string[]): AuditLine[] =>
  texts.map((text, index) => ({ file: 'audit.jsonl', number: index + 1, text }));

const check = (texts: readonly string[], published?: ChainHead) => checkChain(linesOf(texts), published);

const anyRecord = fc
  .record({
    event: fc.string({ maxLength: 20 }),
    who: fc.string({ unit: 'binary', maxLength: 20 }),
    details: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    wall: fc.oneof(
      fc.double(),
      fc.date().map((date) => date.getTime()),
    ),
  })
  .map(({ event, who, details, wall }) => ({ ...record(event, details, who), wall }));
const anyChain = fc.array(anyRecord, { minLength: 2, maxLength: 12 }).map((records) => chainOf(records));

describe('a chain', () => {
  it('that nobody touched is whole, whatever it says', () => {
    fc.assert(
      fc.property(anyChain, ({ texts, head }) => {
        expect(check(texts, head)).toMatchObject({
          ok: true,
          entries: texts.length,
          first: 0,
          head,
          problem: undefined,
        });
        for (const text of texts) expect(text).not.toContain('\n');
      }),
    );
  });

  it('without an entry is whole, unless one was published', () => {
    expect(check([])).toMatchObject({ ok: true, entries: 0, head: undefined });
    expect(check([], { index: 0, hash: 'a'.repeat(64) }).problem).toMatchObject({ damage: 'truncated' });
  });

  it('shows any single edit, wherever it is', () => {
    fc.assert(
      fc.property(
        anyChain,
        fc.nat(),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        ({ texts, head }, line, at, by) => {
          const index = line % texts.length;
          const text = texts[index] ?? '';
          const position = at % text.length;
          const edited = text.slice(0, position) + by + text.slice(position + 1);
          fc.pre(edited !== text);
          const { problem } = check(texts.with(index, edited), head);
          expect(problem).toMatchObject({ damage: 'edited', line: index + 1 });
        },
      ),
    );
  });

  it('shows an edit whose own hash was made anew, at the line or the one after it', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), anyRecord, ({ texts, head }, line, other) => {
        const index = line % texts.length;
        const before = index === 0 ? NO_ENTRY : readLine(texts[index - 1] ?? '');
        if (typeof before === 'string') throw new Error('the chain is not whole');
        const forged = chainLine(before, other).line;
        fc.pre(forged !== texts[index]);
        const { problem } = check(texts.with(index, forged), head);
        expect(problem?.damage).toBe('edited');
        expect([index + 1, index + 2]).toContain(problem?.line);
      }),
    );
  });

  it('shows any line that was removed', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), ({ texts, head }, line) => {
        const index = line % texts.length;
        const { problem } = check(texts.toSpliced(index, 1), head);
        // The last one is missed only by who has kept the head.
        expect(problem?.damage).toBe(index === texts.length - 1 ? 'truncated' : 'removed');
      }),
    );
  });

  it('shows any line that was inserted: another, a copy, or one that fits', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), fc.nat(), fc.oneof(fc.string(), anyRecord), ({ texts, head }, at, from, what) => {
        const index = at % (texts.length + 1);
        const before = index === 0 ? NO_ENTRY : readLine(texts[index - 1] ?? '');
        if (typeof before === 'string') throw new Error('the chain is not whole');
        const copies = from % 2 === 0;
        const line = copies
          ? (texts[from % texts.length] ?? '')
          : typeof what === 'string'
            ? what
            : chainLine(before, what).line;
        fc.pre(line !== texts[index]);
        // One that fits at the end is how a chain grows: no chain can tell who has made it grow.
        fc.pre(index < texts.length || copies || typeof what === 'string');
        const { problem } = check(texts.toSpliced(index, 0, line), head);
        expect(['inserted', 'edited', 'reordered']).toContain(problem?.damage);
      }),
    );
  });

  it('shows any two lines that were swapped', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), fc.nat(), ({ texts, head }, a, b) => {
        const [one, other] = [a % texts.length, b % texts.length].toSorted((x, y) => x - y) as [number, number];
        fc.pre(one !== other);
        const swapped = texts.with(one, texts[other] ?? '').with(other, texts[one] ?? '');
        expect(check(swapped, head).problem).toMatchObject({ damage: 'reordered', line: one + 1 });
      }),
    );
  });

  it('that was cut looks whole by itself, and not to who has kept its head', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), ({ texts, head }, at) => {
        const kept = at % texts.length;
        expect(check(texts.slice(0, kept)).ok).toBe(true);
        expect(check(texts.slice(0, kept), head).problem).toMatchObject({ damage: 'truncated' });
      }),
    );
  });

  it('that was written anew from somewhere on is not the one that was published', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), anyRecord, ({ texts, head }, at, other) => {
        const from = at % texts.length;
        const kept = texts.slice(0, from);
        const before = from === 0 ? NO_ENTRY : readLine(kept.at(-1) ?? '');
        if (typeof before === 'string') throw new Error('the chain is not whole');
        const anew = chainOf(
          Array.from({ length: texts.length - from }, () => other),
          before,
        ).texts;
        fc.pre(anew[0] !== texts[from]);
        expect(check([...kept, ...anew]).ok).toBe(true);
        expect(check([...kept, ...anew], head).problem).toMatchObject({ damage: 'edited' });
      }),
    );
  });
});

describe('a chain whose beginning was given up', () => {
  const whole = chainOf(Array.from({ length: 10 }, (_, index) => record(`event ${index}`)));
  const through = readLine(whole.texts[3] ?? '');
  if (typeof through === 'string') throw new Error('the chain is not whole');
  const pruned = chainLine(whole.head, record(PRUNED, { through: through.index, hash: through.hash }));
  const texts = [...whole.texts, pruned.line];

  it('is whole when it says so', () => {
    expect(check(texts.slice(4), pruned.head)).toMatchObject({ ok: true, first: 4 });
    // The files were still to be removed when it was cut off.
    expect(check(texts.slice(2), pruned.head)).toMatchObject({ ok: true, first: 2 });
  });

  it('is not whole when more is missing, or it says nothing', () => {
    expect(check(texts.slice(5)).problem).toMatchObject({ damage: 'removed', line: 1 });
    expect(check(whole.texts.slice(4)).problem).toMatchObject({ damage: 'removed', line: 1 });
  });
});

describe('an entry', () => {
  it('has bounds, and says that it was cut', () => {
    const { line } = chainLine(NO_ENTRY, record('long', { text: 'x'.repeat(10_000) }));
    const entry = readLine(line);
    expect(line.length).toBeLessThan(2 * LONGEST_DETAILS);
    expect(entry).toMatchObject({ details: { cut: expect.any(Number) } });
  });

  it('can hold what JSON cannot', () => {
    const circle: Record<string, unknown> = {};
    circle.itself = circle;
    expect(readLine(chainLine(NO_ENTRY, record('odd', circle)).line)).toMatchObject({
      details: { unwritable: expect.any(String) },
    });
    expect(readLine(chainLine(NO_ENTRY, { ...record('odd'), wall: Number.NaN, mono: 1 }).line)).toMatchObject({
      wall: 'NaN',
    });
  });

  it('reads no garbage as one, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void expect(typeof readLine(text)).toBe('string')));
  });
});

describe('the text of a head', () => {
  it('is read back, and nothing else is', () => {
    const head = { index: 12, hash: 'ab'.repeat(32) };
    expect(parseHead(headText(head))).toEqual(head);
    for (const text of ['', '12', '12:', `:${'a'.repeat(64)}`, `-1:${'a'.repeat(64)}`, `1:${'A'.repeat(64)}`]) {
      expect(parseHead(text)).toBeUndefined();
    }
  });
});
