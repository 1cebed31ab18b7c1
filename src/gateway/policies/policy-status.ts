import { MQTT_SCHEMA } from '../../messages/mqtt-payloads.ts';
import type { PolicyOffer, PolicyStatus } from '../../messages/mqtt-policy.ts';
import type { Status } from '../../messages/status.ts';

type MqttVersion = PolicyStatus['versions'][number];

/** A policy that the gateway has and control has not, or that never got so far. */
export interface OnItsWay {
  readonly folder: string;
  readonly offer: PolicyOffer;
  readonly stage: 'offered' | 'downloaded' | 'refused';
  readonly reasons: readonly string[];
  readonly since: number;
  readonly chunks?: { readonly have: number; readonly of: number };
}

/**
 * `policy/status`: control's word where it has one, the gateway's for what is on its way.
 * @param known `policies` of control's status
 * @param offered what came under the name of an incoming folder, for bundles whose manifest control could not read
 * @param at wall clock [ms since 1970]
 */
export function policyStatusOf(
  known: Status['policies'],
  onTheirWay: readonly OnItsWay[],
  offered: ReadonlyMap<string, PolicyOffer>,
  at: number,
): PolicyStatus {
  const versions = known.flatMap(({ active: _, previous: __, folder, ...told }): MqttVersion[] => {
    const offer = folder === undefined ? undefined : offered.get(folder);
    const from = offer && { from: offer.from };
    if (told.version > 0 && told.sha256 !== '') return [{ ...told, ...from }];
    // Control could not read what it is; the offer said so. Without an offer there is nothing to call it by.
    return offer ? [{ ...told, ...from, id: offer.id, version: offer.version, sha256: offer.model.sha256 }] : [];
  });
  const same = ({ folder, offer }: OnItsWay) =>
    known.some(
      (version) =>
        version.folder === folder ||
        (version.keyId !== undefined &&
          version.id === offer.id &&
          version.version === offer.version &&
          version.sha256 === offer.model.sha256),
    );
  const own = onTheirWay
    // A refusal of what has the name of a version that is known is of another bundle, and to be told.
    .filter((item) => (item.stage === 'refused' ? !known.some(({ folder }) => folder === item.folder) : !same(item)))
    .map(
      ({ offer, stage, reasons, since, chunks }): MqttVersion => ({
        id: offer.id,
        version: offer.version,
        sha256: offer.model.sha256,
        stage,
        reasons: [...reasons],
        since,
        from: offer.from,
        ...(chunks && { chunks }),
      }),
    );
  const ids = [...new Set(known.map(({ id }) => id))];
  const slots = ids.flatMap((id) => {
    const of = known.filter((version) => version.id === id);
    const active = of.find((version) => version.active)?.version ?? null;
    const previous = of.find((version) => version.previous)?.version ?? null;
    return active === null && previous === null ? [] : [{ id, active, previous }];
  });
  return { schema: MQTT_SCHEMA, at, slots, versions: [...versions, ...own] };
}

/** What makes a status worth publishing at once; numbers that creep are left to the next message. */
export function statusKey({ slots, versions }: PolicyStatus): string {
  return JSON.stringify([
    slots,
    versions.map(({ id, version, sha256, stage, reasons, chunks }) => [
      id,
      version,
      sha256,
      stage,
      reasons,
      chunks !== undefined,
    ]),
  ]);
}
