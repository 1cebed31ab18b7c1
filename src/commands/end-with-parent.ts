/**
 * A command that another process of ours started over a channel ends with that process, however that one ended: nobody
 * else would know of it. What it was doing is on disk up to its newest checkpoint.
 */
export function endWithParent(): void {
  if (process.channel === undefined) return;
  process.once('disconnect', () => process.exit(1));
  // The channel alone is no reason to stay.
  process.channel?.unref();
  if (!process.connected) process.exit(1);
}
