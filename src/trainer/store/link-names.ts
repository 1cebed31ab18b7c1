import { SEALED } from '../../recording/segment-name.ts';
import type { StoredSegment } from './stored-segment.ts';

/**
 * File names for segments in one folder: those that they had, and another copy number (see `SegmentName`) where two robots
 * of one name had one of the same name.
 * @returns SHA-256 by name
 */
export function linkNames(segments: readonly StoredSegment[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { segment, sha256 } of segments) {
    const stem = segment.slice(0, -SEALED.length);
    const [, base = stem, first = '1'] = /^(.*?)(?:\.(\d+))?$/.exec(stem) ?? [];
    let name = segment;
    for (let copy = Number(first) + 1; names.has(name); copy++) name = `${base}.${copy}${SEALED}`;
    names.set(name, sha256);
  }
  return names;
}
