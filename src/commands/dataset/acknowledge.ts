import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { EdgeError, messageOf } from '../../errors.ts';
import { acknowledge } from '../../recording/acknowledged.ts';
import { SEALED } from '../../recording/segment-name.ts';
import { SegmentReader } from '../../recording/segment-reader.ts';
import { say, sayJson } from '../output.ts';

export function registerAcknowledge(dataset: Command): void {
  dataset
    .command('acknowledge')
    .description('say that sealed segments are safe elsewhere: the recorder may give them up for newer ones')
    .argument('<segment...>', 'sealed segments that have been copied; see `recording.whenFull`')
    .option('--by <name>', 'who holds the copy', 'operator')
    .option('--json', 'print one JSON object as the last line')
    .action(acknowledgeAll);
}

async function acknowledgeAll(paths: readonly string[], options: { by: string; json?: boolean }): Promise<void> {
  const noted: { segment: string; sha256: string; bytes: number }[] = [];
  for (const segment of paths) {
    await expectWhole(segment);
    const { size: bytes } = await stat(segment);
    const hash = createHash('sha256');
    for await (const part of createReadStream(segment)) hash.update(part);
    const sha256 = hash.digest('hex');
    try {
      await acknowledge(segment, { sha256, bytes, by: options.by, at: new Date().toISOString() });
    } catch (error) {
      const remedy = 'the folder must be writable for you, and its disk not full';
      throw new EdgeError('recordingFailed', `cannot note it beside ${segment}: ${messageOf(error)}`, remedy);
    }
    noted.push({ segment, sha256, bytes });
    // The sum is there to be compared with the copy's.
    if (!options.json) say(`${sha256}  ${segment}`);
  }
  if (options.json) sayJson({ acknowledged: noted });
}

/** A damaged segment has damaged copies: whoever says that it is safe should look first. */
async function expectWhole(segment: string): Promise<void> {
  const reader = new SegmentReader(segment);
  let reason = `its name does not end in ${SEALED}`;
  if (segment.endsWith(SEALED)) {
    try {
      for await (const _ of reader.chunks());
      if (reader.ending?.kind === 'sealed') return;
      reason = reader.ending?.reason ?? 'it cannot be read';
    } catch (error) {
      throw new EdgeError('fileUnreadable', `cannot read ${segment}: ${messageOf(error)}`, 'name a sealed segment');
    }
  }
  const remedy = 'name sealed, whole segments; `h2o-edge dataset ls` shows the state of each';
  throw new EdgeError('segmentUnreadable', `${segment} is not acknowledged: ${reason}`, remedy);
}
