/** A longer payload is not read for names. */
const LONGEST = 512;

/** Who sent a stop, for the record, and the id under which the sender waits for answers. */
export interface StopSender {
  readonly source: string;
  readonly id: string | undefined;
}

const ANONYMOUS: StopSender = { source: 'MQTT', id: undefined };

/** Reads names out of a payload if they are there. The stop does not depend on it. Never throws. */
export function senderOf(payload: Uint8Array, length: number): StopSender {
  if (length === 0 || length > LONGEST || payload.length < length) return ANONYMOUS;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof value !== 'object' || value === null) return ANONYMOUS;
    const source = 'source' in value ? words(value.source) : '';
    const id = 'id' in value ? words(value.id) : '';
    return { source: source === '' ? 'MQTT' : `MQTT: ${source}`, id: id === '' ? undefined : id };
  } catch {
    return ANONYMOUS;
  }
}

/** It ends up in logs and on screens: printable and short. The latch file takes one line. */
function words(value: unknown): string {
  return typeof value === 'string' ? value.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '').slice(0, 56) : '';
}
