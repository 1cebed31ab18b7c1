import { fstatSync } from 'node:fs';

/** Number of a pino level to the priority of syslog(3) that journald keeps a line under. */
const PRIORITIES: ReadonlyArray<readonly [level: number, priority: number]> = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];
const DEBUG = 7;

/** Whether what is written to this descriptor goes to journald, which says so in `JOURNAL_STREAM`: systemd.exec(5). */
export function isJournal(descriptor: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return journalStream === `${dev}:${ino}`;
}

interface Destination {
  write(text: string): unknown;
}

/** Puts each line's level before it as journald reads it, sd-daemon(3): `journalctl -p warning` then shows what it should. */
export const journalStream = (destination: Destination) => ({
  /** pino tells the level of the line that it is about to write */
  [Symbol.for('pino.metadata')]: true,
  lastLevel: 0,
  write(line: string): void {
    const [, priority = DEBUG] = PRIORITIES.find(([level]) => this.lastLevel >= level) ?? [];
    destination.write(`<${priority}>${line}`);
  },
});
