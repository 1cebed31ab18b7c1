import type { PolicyStage } from '../../messages/policy-stages.ts';
import type { Replayed, SelfTest, ShadowReport } from '../../messages/policy-updates.ts';

/** Where the bytes of a version lie: in control's own store, or in a folder of the configuration, put there by a person. */
export type Origin = 'store' | 'folder';

/** What control has found out of one version. Plain data: it is what stands in `slots.json`. */
export interface VersionRecord {
  readonly version: number;
  /** of the model */
  readonly sha256: string;
  /** sha256 of the whole manifest */
  readonly manifest: string;
  /** sha256 of what the manifest says of task, rate, observation and action */
  readonly spec: string;
  readonly keyId: string;
  readonly from: Origin;
  readonly stage: Exclude<PolicyStage, 'offered' | 'downloaded'>;
  readonly reasons: readonly string[];
  /** [ms since 1970] */
  readonly since: number;
  /** it went wrong while it was in charge, and never is again */
  readonly failed: boolean;
  readonly selfTest?: SelfTest | undefined;
  readonly replayed?: Replayed | undefined;
  /** of a shadow that is complete */
  readonly shadow?: ShadowReport | undefined;
}

/** A policy id and its versions. */
export interface Slot {
  readonly versions: readonly VersionRecord[];
  readonly active: number | null;
  /** what `rollback` returns to */
  readonly previous: number | null;
}

/** All that is remembered of versions. Every function returns a new one. */
export interface Slots {
  readonly slots: Readonly<Record<string, Slot>>;
  /**
   * Highest version that was ever verified, by release key and policy. A key that signed far too high a number holds up only
   * itself: once it is no longer trusted, its numbers count no more.
   */
  readonly ratchet: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** the one version that is on trial */
  readonly trial: { readonly id: string; readonly version: number } | null;
}

export const NO_SLOTS: Slots = { slots: {}, ratchet: {}, trial: null };

/** Something that is not to be, as "code: words"; the slots are as they were. */
export interface Refused {
  readonly refused: string;
}
export type Outcome = Slots | Refused;
export const isRefused = (outcome: Outcome): outcome is Refused => 'refused' in outcome;

/** Stages before the trial, in order; a version takes one after the other. */
const TESTS = ['verified', 'self-tested', 'replayed', 'eligible'] as const;
/** Records of versions that are gone from the disk; older ones are forgotten. */
const MOST_RECORDS = 32;

const EMPTY: Slot = { versions: [], active: null, previous: null };

export const slotOf = (slots: Slots, id: string): Slot =>
  (Object.hasOwn(slots.slots, id) ? slots.slots[id] : undefined) ?? EMPTY;

export const recordOf = (slots: Slots, id: string, version: number | null): VersionRecord | undefined =>
  slotOf(slots, id).versions.find((record) => record.version === version);

/** Of one version among those of all policies. */
export const keyOf = (id: string, version: number): string => `${id} ${version}`;

/** The highest version of a policy that a key signed which is still trusted; 0 if none did. */
export function highestVersion(slots: Slots, id: string, trusted: (keyId: string) => boolean): number {
  let highest = 0;
  for (const [keyId, versions] of Object.entries(slots.ratchet)) {
    if (trusted(keyId)) highest = Math.max(highest, versions[id] ?? 0);
  }
  return highest;
}

export interface Verified {
  readonly id: string;
  readonly version: number;
  readonly sha256: string;
  readonly manifest: string;
  readonly spec: string;
  readonly keyId: string;
}

/** A bundle whose signature and contents are as they should be. Its version must be above all that were verified before. */
export function verified(
  slots: Slots,
  { id, ...found }: Verified,
  trusted: (keyId: string) => boolean,
  now: number,
): Outcome {
  const { version } = found;
  const known = recordOf(slots, id, version);
  const highest = highestVersion(slots, id, trusted);
  if (known) {
    return known.manifest === found.manifest
      ? refuse(`known: version ${version} is here already, ${known.stage}`)
      : refuse(`version: another version ${version} of ${id} has been here`);
  }
  if (version <= highest) return refuse(`version: ${version} is not above ${highest}, the highest so far`);
  const { manifest, sha256 } = found;
  // Rows, tapes and the blend tell policies apart by their models alone.
  const twin = slotOf(slots, id).versions.find((other) => other.sha256 === sha256 && other.spec !== found.spec);
  if (twin) return refuse(`model: it is that of version ${twin.version}, which sees or acts in another way`);
  const { spec, keyId } = found;
  const bundle = { version, sha256, manifest, spec, keyId };
  const record: VersionRecord = { ...bundle, from: 'store', stage: 'verified', reasons: [], since: now, failed: false };
  return ratcheted(withVersions(slots, id, [...slotOf(slots, id).versions, record]), id, found.keyId, version);
}

const refuse = (refused: string): Refused => ({ refused });

function ratcheted(slots: Slots, id: string, keyId: string, version: number): Slots {
  const ofKey = slots.ratchet[keyId] ?? {};
  if ((ofKey[id] ?? 0) >= version) return slots;
  return { ...slots, ratchet: { ...slots.ratchet, [keyId]: { ...ofKey, [id]: version } } };
}

const withSlot = (slots: Slots, id: string, slot: Slot): Slots => ({
  ...slots,
  slots: { ...slots.slots, [id]: slot },
});

const withVersions = (slots: Slots, id: string, versions: readonly VersionRecord[]): Slots =>
  withSlot(slots, id, { ...slotOf(slots, id), versions });

type Change = Partial<Omit<VersionRecord, 'version'>>;

function changed(slots: Slots, id: string, version: number | null, change: Change): Slots {
  const { versions } = slotOf(slots, id);
  return withVersions(
    slots,
    id,
    versions.map((record) => (record.version === version ? { ...record, ...change } : record)),
  );
}

type Tests = Pick<VersionRecord, 'selfTest' | 'replayed'>;

/** A version has passed the next test of its way. What has not passed the one before does not pass this one. */
export function passed(
  slots: Slots,
  id: string,
  version: number,
  stage: (typeof TESTS)[number],
  now: number,
  found: Tests = {},
): Outcome {
  const record = recordOf(slots, id, version);
  if (!record || record.stage !== TESTS[TESTS.indexOf(stage) - 1]) {
    return refuse(
      `stage: version ${version} of ${id} is ${record?.stage ?? 'not known'}, which is not before ${stage}`,
    );
  }
  return changed(slots, id, version, { stage, since: now, ...found });
}

/** Something speaks against a version that is not in charge. It is not looked at again. */
export function refused(slots: Slots, id: string, version: number, reasons: readonly string[], now: number): Slots {
  const { active, previous } = slotOf(slots, id);
  if (version === active || version === previous) return slots;
  return forgetting(changed(slots, id, version, { stage: 'refused', reasons, since: now }), id);
}

/** A version begins to run beside the active one. */
export function shadowed(slots: Slots, id: string, version: number, now: number): Outcome {
  const record = recordOf(slots, id, version);
  if (record?.stage !== 'eligible') return refuse(notIn(record, id, version, 'eligible'));
  return changed(slots, id, version, { stage: 'shadow', since: now, reasons: [] });
}

/** It does so no more; it may do so again. @param shadow of one that is complete */
export function unshadowed(
  slots: Slots,
  id: string,
  version: number,
  reasons: readonly string[],
  now: number,
  shadow?: ShadowReport,
): Slots {
  if (recordOf(slots, id, version)?.stage !== 'shadow') return slots;
  return changed(slots, id, version, { stage: 'eligible', since: now, reasons, ...(shadow && { shadow }) });
}

const notIn = (record: VersionRecord | undefined, id: string, version: number, wanted: string): string =>
  record
    ? `stage: version ${version} of ${id} is ${record.stage}${record.reasons.length > 0 ? ` (${record.reasons.join('; ')})` : ''}, not ${wanted}`
    : `unknown: there is no version ${version} of ${id}`;

/** Whether a version may take over, as far as its own history and the others' go. */
export function activatable(slots: Slots, id: string, version: number): string | undefined {
  const record = recordOf(slots, id, version);
  const { active } = slotOf(slots, id);
  if (version === active) return `active: version ${version} of ${id} is active already`;
  if (slots.trial) return `trial: version ${slots.trial.version} of ${slots.trial.id} is on trial`;
  if (record?.failed) return `failed: version ${version} of ${id} was rolled back (${record.reasons.join('; ')})`;
  const ready = record?.stage === 'eligible' || record?.stage === 'shadow' || record?.stage === 'rolled-back';
  if (!ready) return notIn(record, id, version, 'eligible');
  if (active !== null && version < active) return `version: ${version} is below ${active}, which is active`;
  return undefined;
}

/** A version takes over, on trial; what was active before is what it is rolled back to. */
export function activated(slots: Slots, id: string, version: number, now: number): Outcome {
  const against = activatable(slots, id, version);
  if (against !== undefined) return refuse(against);
  const { active } = slotOf(slots, id);
  const taken = changed(slots, id, version, { stage: 'active', since: now, reasons: [] });
  return {
    ...withSlot(taken, id, { ...slotOf(taken, id), active: version, previous: active }),
    trial: { id, version },
  };
}

/** The trial is over and nothing went wrong. */
export function committed(slots: Slots, now: number): Slots {
  const { trial } = slots;
  if (!trial) return slots;
  const { previous } = slotOf(slots, trial.id);
  const done = changed(slots, trial.id, trial.version, { stage: 'committed', since: now });
  const before = recordOf(done, trial.id, previous);
  const superseded = before ? changed(done, trial.id, previous, { stage: 'superseded', since: now }) : done;
  return forgetting({ ...superseded, trial: null }, trial.id);
}

export interface Rollback {
  readonly id: string;
  readonly reason: string;
  /** it went wrong while it was in charge: it never is again */
  readonly failed: boolean;
}

/** The active version goes, and the previous one, if there is one, comes back. */
export function rolledBack(slots: Slots, { id, reason, failed }: Rollback, now: number): Outcome {
  const slot = slotOf(slots, id);
  const { active, previous } = slot;
  const onTrial = slots.trial?.id === id;
  if (active === null || (previous === null && !onTrial)) return refuse(`previous: ${id} has no version to return to`);
  const gone = changed(slots, id, active, { stage: 'rolled-back', since: now, reasons: [reason], failed });
  const back = changed(gone, id, previous, { stage: 'committed', since: now, reasons: [] });
  const returned = { ...slotOf(back, id), active: previous, previous: fallbackOf(back, id, previous) };
  return { ...withSlot(back, id, returned), trial: onTrial ? null : back.trial };
}

/** The newest version below that was once committed. */
function fallbackOf(slots: Slots, id: string, active: number | null): number | null {
  if (active === null) return null;
  const once = slotOf(slots, id).versions.filter(({ stage, version }) => stage === 'superseded' && version < active);
  return once.length > 0 ? Math.max(...once.map(({ version }) => version)) : null;
}

/** The bytes of a version cannot be read, or are not those that were verified. */
export function unloadable(slots: Slots, id: string, version: number, reasons: readonly string[], now: number): Slots {
  const before = slotOf(slots, id);
  // A machine that was busy for a moment is not the policy's fault: an operator may activate it again.
  const stage = reasons.every((reason) => reason.startsWith('latency:')) ? 'rolled-back' : 'refused';
  const gone = changed(slots, id, version, { stage, reasons, since: now });
  const trial = slots.trial?.id === id && slots.trial.version === version ? null : slots.trial;
  let { active, previous } = before;
  if (active === version) {
    active = previous;
    previous = null;
  }
  if (previous === version || (previous === null && active !== null)) previous = fallbackOf(gone, id, active);
  const back = active === before.active ? gone : changed(gone, id, active, { stage: 'committed', since: now });
  return { ...withSlot(back, id, { ...slotOf(back, id), active, previous }), trial };
}

/**
 * Control starts. A trial that a crash, a power cut or an orderly end has cut short is over: what had not proved itself does
 * not run again by itself. Tests that were under way begin anew.
 */
export function restarted(slots: Slots, now: number): Slots {
  let after = slots;
  const { trial } = slots;
  if (trial) {
    const back = rolledBack(
      slots,
      { id: trial.id, reason: 'restart: control ended during its trial', failed: false },
      now,
    );
    after = isRefused(back) ? { ...slots, trial: null } : back;
  }
  for (const [id, { versions }] of Object.entries(after.slots)) {
    for (const { version, stage } of versions) {
      if (stage === 'shadow') after = unshadowed(after, id, version, ['restart: control ended during its shadow'], now);
      if (stage === 'self-tested' || stage === 'replayed') after = changed(after, id, version, { stage: 'verified' });
    }
  }
  return after;
}

/** A bundle in a folder of the configuration, which a person has put there. The newest of a slot is active at the start. */
export function found(
  slots: Slots,
  { id, ...bundle }: Verified,
  trusted: (keyId: string) => boolean,
  now: number,
): Slots {
  const { version } = bundle;
  const known = recordOf(slots, id, version);
  const slot = slotOf(slots, id);
  const isNew = !known && version > highestVersion(slots, id, trusted);
  // What came over the broker under this number stays what it is; and this is for a start, when no trial is on.
  if (known?.from === 'store' || slots.trial) return slots;
  let after = slots;
  if (!known) {
    const stage = isNew ? 'eligible' : 'superseded';
    const record: VersionRecord = { ...bundle, from: 'folder', stage, reasons: [], since: now, failed: false };
    after = ratcheted(withVersions(slots, id, [...slot.versions, record]), id, bundle.keyId, version);
  } else if (known.manifest !== bundle.manifest) {
    // A person has put another bundle in its place.
    after = changed(slots, id, version, { ...bundle, failed: false, reasons: [] });
  }
  if (known?.stage === 'refused') after = changed(after, id, version, { stage: 'superseded', reasons: [], since: now });
  const takes = slot.active === null ? recordOf(after, id, version)?.failed === false : isNew;
  if (!takes) return after;
  const newly = changed(after, id, version, { stage: 'committed', since: now });
  const old = changed(newly, id, slot.active, { stage: 'superseded', since: now });
  return withSlot(old, id, { ...slotOf(old, id), active: version, previous: slot.active ?? slot.previous });
}

/**
 * Versions in the store whose bytes are no longer wanted: those that were refused, and what is beyond the newest. The active,
 * the previous and whatever is being tried stay.
 * @param keep versions of each policy
 */
export function unwanted(slots: Slots, keep: number): Array<{ readonly id: string; readonly version: number }> {
  return Object.entries(slots.slots).flatMap(([id, { versions, active, previous }]) => {
    const stored = versions.filter(
      ({ from, version }) => from === 'store' && version !== active && version !== previous,
    );
    const over = stored.filter(({ stage }) => stage === 'refused');
    const rest = stored.filter(({ stage }) => ['superseded', 'rolled-back', 'eligible'].includes(stage));
    const room = Math.max(0, keep - (active === null ? 0 : 1) - (previous === null ? 0 : 1));
    const newest = [...rest].sort((a, b) => b.version - a.version);
    return [...over, ...newest.slice(room)].map(({ version }) => ({ id, version }));
  });
}

/** Their bytes are gone. */
export function removed(slots: Slots, id: string, version: number, now: number): Slots {
  const record = recordOf(slots, id, version);
  if (!record || record.stage === 'refused') return slots;
  return changed(slots, id, version, {
    stage: 'refused',
    reasons: ['removed: newer versions took its place'],
    since: now,
  });
}

/** Old refusals give way to newer ones. */
function forgetting(slots: Slots, id: string): Slots {
  const { versions, active, previous } = slotOf(slots, id);
  const isGone = ({ stage, version }: VersionRecord) =>
    stage === 'refused' && version !== active && version !== previous;
  const excess = versions.filter(isGone).length - MOST_RECORDS;
  if (excess <= 0) return slots;
  const oldest = new Set(versions.filter(isGone).slice(0, excess));
  return withVersions(
    slots,
    id,
    versions.filter((record) => !oldest.has(record)),
  );
}
