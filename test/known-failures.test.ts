import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs', 'known-failures.md'), 'utf8');

/** Body rows of all tables, each as its cells. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (-|reference |lesson )/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()));

interface Reference {
  readonly shown: string;
  readonly file: string;
  readonly title: string;
}

/** [path](../path) “title” */
const referencesIn = (text: string): Reference[] =>
  [...text.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\) “([^”]+)”/g)].map((match) => ({
    shown: match[1] ?? '',
    file: match[2] ?? '',
    title: match[3] ?? '',
  }));

const references = referencesIn(page);

/** Titles of a test file by their literal, and whether that test never runs; what a template puts in is left out. */
function titlesOf(file: string): Map<string, { readonly off: boolean }> {
  const text = readFileSync(join(root, file), 'utf8');
  const titles = new Map<string, { readonly off: boolean }>();
  // A call of `it`, `test` or `describe`, perhaps with `.each(…)` or `.skipIf(…)` in front of the title's parenthesis.
  const calls = /\b(?:it|test|describe)((?:\.\w+(?:<[^>]*>)?)*)\(/g;
  for (const call of text.matchAll(calls)) {
    const modifiers = call[1] ?? '';
    let at = call.index + call[0].length;
    // `.each(table)(title` and `.skipIf(condition)(title`: the title is in the parenthesis after the one that has just opened.
    const levels = /\.(each|skipIf|runIf|for)/.test(modifiers)
      ? [...modifiers.matchAll(/\.(each|skipIf|runIf|for)/g)].length
      : 0;
    for (let level = 0; level < Math.min(levels, 1); level++) at = closing(text, at) + 1;
    const after = text
      .slice(at)
      .match(/^(?:\.\w+)?\s*\(?\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/);
    const literal = after?.[1] ?? after?.[2] ?? after?.[3];
    if (literal === undefined) continue;
    const title = literal
      .replace(/\$\{[^}]*\}/g, '')
      .replace(/\\(.)/g, '$1')
      .trim();
    titles.set(title, { off: /\.(skip|todo)\b/.test(modifiers) });
  }
  return titles;
}

/** Index of the parenthesis that closes the one before `from`; strings are skipped. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === "'" || character === '"' || character === '`') {
      for (at += 1; at < text.length && text[at] !== character; at++) if (text[at] === '\\') at += 1;
    } else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}

describe('docs/known-failures.md', () => {
  it('has a proof in every row, or says why there is none', () => {
    expect(rows.length).toBeGreaterThan(90);
    for (const cells of rows) {
      const proof = cells.at(-1) ?? '';
      const isExcused = /^\*\*(does not apply|not built yet):\*\* \S/.test(proof);
      expect(isExcused || referencesIn(proof).length > 0, cells[0]).toBe(true);
    }
  });

  it.each([...new Set(references.map(({ file }) => file))])(
    'names tests of %s that there are, and that run',
    (file) => {
      expect(existsSync(join(root, file)), file).toBe(true);
      expect(file).toMatch(/\.test\.ts$/);
      const titles = titlesOf(file);
      for (const { shown, title } of references.filter((one) => one.file === file)) {
        expect(shown).toBe(file);
        expect([...titles.keys()]).toContain(title);
        expect(titles.get(title)?.off, title).toBe(false);
      }
    },
  );

  it('is read to its last reference: no link and no title is left over', () => {
    expect(page.match(/\]\(\.\.\//g)).toHaveLength(references.length);
    // Both quotation marks stand for other things as well; each title follows a link.
    expect(page.match(/\.test\.ts\) “/g)).toHaveLength(references.length);
  });

  it('would miss a test that is renamed, skipped or gone', () => {
    const titles = titlesOf('test/known-failures.test.ts');
    expect([...titles.keys()]).toContain('would miss a test that is renamed, skipped or gone');
    expect(titles.has('is not here')).toBe(false);
    expect(titlesOf('src/control/estimate.test.ts').size).toBeGreaterThan(15);
  });
});
