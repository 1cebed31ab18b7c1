import { CONTROLLER_KINDS, decodeRow } from '../messages/row.ts';
import { bootText } from './channels.ts';
import { SegmentReader } from './segment-reader.ts';

/** What a segment says of itself and what its rows add up to. */
export interface Survey {
  readonly file: string;
  readonly bytes: number;
  readonly state: 'sealed' | 'cut' | 'damaged';
  /** why it is not sealed */
  readonly reason: string | undefined;
  /** robot, boot, revision, behaviour: as the recorder wrote them */
  readonly metadata: Readonly<Record<string, string>>;
  readonly channels: readonly {
    readonly topic: string;
    readonly schema: string;
    readonly encoding: string;
    readonly messages: number;
  }[];
  readonly rows: number;
  /** runs of `control`, hexadecimal */
  readonly boots: readonly string[];
  /** episodes of a task in which the robot ran; of these, how many ended in a fall, and for another reason while it ran */
  readonly episodes: number;
  readonly falls: number;
  readonly timeouts: number;
  readonly tasks: Readonly<Record<string, number>>;
  /** rows of each; policies by the first 16 digits of their sha256 */
  readonly controllers: Readonly<Record<string, number>>;
  readonly firstNs: bigint | undefined;
  readonly lastNs: bigint | undefined;
}

/**
 * Reads a segment to its end or its first damage.
 * @throws node's errors when it cannot be opened
 */
export async function surveySegment(path: string, file: string): Promise<Survey> {
  const reader = new SegmentReader(path);
  const messages = new Map<number, number>();
  const boots = new Set<string>();
  const episodes = new Set<string>();
  const fallen = new Set<string>();
  const tasks: Record<string, number> = {};
  const controllers: Record<string, number> = {};
  let [rows, timeouts] = [0, 0];
  let firstNs: bigint | undefined;
  let lastNs: bigint | undefined;
  for await (const chunk of reader.chunks()) {
    for (const message of chunk) {
      messages.set(message.channelId, (messages.get(message.channelId) ?? 0) + 1);
      firstNs ??= message.logTime;
      lastNs = message.logTime;
      const bytes = reader.rowOf(message);
      const row = bytes && decodeRow(bytes);
      if (!row) continue;
      rows += 1;
      boots.add(bootText(row.boot));
      const episode = `${row.boot} ${row.episode}`;
      const runs = row.robotState === 'running';
      if (runs) episodes.add(episode);
      if (runs && row.timeout) timeouts += 1;
      // A robot that was let go of, or lies on the ground, is beyond the lean of a fall in every row.
      if (row.done && episodes.has(episode)) fallen.add(episode);
      tasks[row.task] = (tasks[row.task] ?? 0) + 1;
      const who = row.controller === CONTROLLER_KINDS[2] ? `policy ${bootText(row.policyHash)}` : row.controller;
      controllers[who] = (controllers[who] ?? 0) + 1;
    }
  }
  const { ending } = reader;
  const schemas = new Map(reader.schemas.map((schema) => [schema.id, schema]));
  return {
    file,
    bytes: reader.size,
    state: ending?.kind ?? 'damaged',
    reason: ending === undefined || ending.kind === 'sealed' ? undefined : ending.reason,
    metadata: Object.fromEntries(reader.metadata),
    channels: reader.channels.map(({ id, schemaId, topic, messageEncoding }) => ({
      topic,
      schema: schemas.get(schemaId)?.name ?? '',
      encoding: messageEncoding,
      messages: messages.get(id) ?? 0,
    })),
    rows,
    boots: [...boots],
    episodes: episodes.size,
    falls: fallen.size,
    timeouts,
    tasks,
    controllers,
    firstNs,
    lastNs,
  };
}
