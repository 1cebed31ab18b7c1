import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { EdgeError } from '../../../errors.ts';
import type { ArmedMode } from '../../../messages/mode.ts';
import { policyStatus, topic } from '../../../messages/mqtt.ts';
import { type PolicyAction, type PolicyVersion, policyStageSchema } from '../../../messages/policy-updates.ts';
import { BrokerClient } from '../../broker-client.ts';
import { Collection } from '../../collect/collection.ts';
import { NOISE } from '../../collect/noise.ts';
import { SimulatedSite } from '../../collect/simulated-site.ts';
import type { DemoPolicies } from '../demo-policies.ts';
import type { Listener } from './listener.ts';
import type { Patience } from './patience.ts';
import { type Performance, performanceOf, type Try } from './performance.ts';

const TASK = 'standing-still';
const BALANCER: ArmedMode = { task: TASK, controller: 'balancer' };

/** One look in this time of the robot [s]. */
const LOOK = 0.2;
/** The simulator's hand takes so long to lift [s]. */
const LIFTING = 2;
/** Of a robot at no pace of its own, on a machine that trains meanwhile, looks go slowly [s]. */
const PATIENCE = 120;
/** Learning goes first where both want the processor. */
const NICENESS = 5;

export interface LoopRobotOptions {
  readonly folder: string;
  readonly name: string;
  readonly simulatorWords: readonly string[];
  readonly brokerUrl: string;
  readonly policies: DemoPolicies;
  readonly listener: Listener;
  /** `policyUpdates` of its configuration */
  readonly shadowSeconds: number;
  readonly trialSeconds: number;
}

/** One virtual robot of the loop: what an operator does with it, and what the simulator says became of it. */
export class LoopRobot {
  readonly name: string;
  readonly broken: Promise<never>;
  readonly #stages = new Map<string, string[]>();
  readonly #site: SimulatedSite;
  readonly #remote: BrokerClient;
  #newest: { id: string; version: number } | undefined;

  private constructor(name: string, site: SimulatedSite, remote: BrokerClient) {
    this.name = name;
    this.#site = site;
    this.#remote = remote;
    this.broken = site.broken;
  }

  static async start(options: LoopRobotOptions, patience: Patience): Promise<LoopRobot> {
    const { folder, name, simulatorWords, brokerUrl, policies, listener, shadowSeconds, trialSeconds } = options;
    const starting = SimulatedSite.start(join(folder, name), simulatorWords, {
      brokerUrl,
      policies,
      config: {
        name,
        // Short segments: what was recorded is soon on its way.
        recording: { segmentSeconds: 20 },
        upload: { kilobytesPerSecond: 0 },
        policyUpdates: { shadowSeconds, trialSeconds },
      },
    });
    const site = await patience.bound(`${name} to start`, PATIENCE, starting).catch((error: unknown) => {
      // Should it still come up, it is not to stay.
      starting.then(
        (late) => late.close(),
        () => {},
      );
      throw error;
    });
    try {
      for (const pid of site.pids) setPriority(pid, Math.min(19, getPriority(pid) + NICENESS));
      const remote = await patience.until(`${name} to be on the broker`, PATIENCE, () => online(brokerUrl, name));
      const robot = new LoopRobot(name, site, remote);
      listener.on(topic(name, 'policyStatus'), policyStatus, ({ versions }) =>
        // What comes before the robot's control has heard of it is the gateway's, and stands nowhere else.
        robot.#note(versions.filter(({ stage }) => stage === 'offered' || stage === 'downloaded')),
      );
      await remote.watch(
        () => {},
        () => {},
        (event) => {
          const told = policyUpdate.safeParse(event);
          if (told.success) robot.#note([told.data]);
        },
      );
      return robot;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  /** Stages that the version that is followed went through, in order, as the robot published them. */
  get stages(): readonly string[] {
    return this.#stages.get(keyOf(this.#newest)) ?? [];
  }

  /** The version that everything from now on is about. */
  follow(id: string, version: number): void {
    this.#newest = { id, version };
  }

  #note(versions: readonly Pick<PolicyVersion, 'id' | 'version' | 'stage'>[]): void {
    for (const version of versions) {
      const stages = this.#stages.get(keyOf(version)) ?? [];
      if (!stages.includes(version.stage)) this.#stages.set(keyOf(version), [...stages, version.stage]);
    }
  }

  /** Collects under the balancer with noise. @returns transitions */
  async collect(transitions: number, seed: number): Promise<number> {
    const { control, operator, simulator } = this.#site;
    const result = await new Collection(
      { task: BALANCER, exploration: { ...NOISE.clean, seed }, transitions },
      {
        robot: control,
        key: operator,
        lift: async () => void (await simulator.request('lift')),
        pause: () => simulator.wait(LOOK),
        patience: 150,
        told: () => false,
        atTheEnd: 'disarm',
        onProgress: () => {},
        now: () => performance.now(),
      },
    ).run();
    if (!result.ok) {
      throw new EdgeError(
        'scenarioFailed',
        `${this.name} stopped collecting (${result.ended}): ${result.why}`,
        'see the complaints above',
      );
    }
    return result.transitions;
  }

  /** Whether what the robot does is recorded; what is measured is not to be learnt from. */
  async record(recording: boolean): Promise<void> {
    await this.#site.control.command({ name: 'record', recording }, this.#site.operator);
  }

  /**
   * Lets a controller hold the robot, so many times, until it falls or the time is over.
   * @param seconds of each try
   */
  async measure(controller: string, tries: number, seconds: number, patience: Patience): Promise<Performance> {
    const { simulator, control } = this.#site;
    const done: Try[] = [];
    for (let index = 0; index < tries; index++) {
      await this.arm({ task: TASK, controller }, patience);
      await simulator.request('mark', { name: 'measured' });
      for (;;) {
        await simulator.wait(LOOK);
        const [seen, { state, limits }] = await Promise.all([simulator.measure('measured'), control.status()]);
        // Once the balancer has taken over it is no longer the policy that stands.
        const over = seen.falls > 0 || state !== 'running' || limits.includes('fallback');
        if (!over && seen.seconds < seconds) continue;
        done.push({
          seconds: Math.min(seen.seconds, seconds),
          maxAbsX: seen.maxAbsX,
          fell: seen.falls > 0,
          ended: over ? (seen.falls > 0 ? 'fell' : state !== 'running' ? state : 'fallback') : 'stood',
        });
        break;
      }
      await control.disarm();
    }
    return performanceOf(done);
  }

  /** Lifts it, and arms it once it is held upright. */
  async arm(mode: ArmedMode, patience: Patience): Promise<void> {
    const { simulator, control, operator } = this.#site;
    let refusal = '';
    await patience.until(
      `${this.name} to be armed`,
      PATIENCE,
      async () => {
        await simulator.request('lift');
        await simulator.wait(LIFTING);
        try {
          await control.command({ name: 'mode', mode }, operator);
          return true;
        } catch (error) {
          if (!(error instanceof EdgeError) || error.codeName !== 'requestRefused') throw error;
          refusal = error.message;
          await control.disarm();
          return undefined;
        }
      },
      () => refusal,
    );
  }

  /** While others want the processor; it has to be disarmed. */
  standStill(still: boolean): void {
    this.#site.standStill(still);
  }

  /** The robot's own word on the version that is followed. */
  async version(): Promise<PolicyVersion | undefined> {
    const { policies } = await this.#site.control.status();
    return policies.find(({ id, version }) => id === this.#newest?.id && version === this.#newest?.version);
  }

  /** Waits until the version is at one of these stages. @throws EdgeError `scenarioFailed` with its reasons if it ends elsewhere */
  async reach(stages: readonly string[], patience: Patience, seconds = PATIENCE): Promise<PolicyVersion> {
    let at = 'unheard of';
    const found = await patience.until(
      `${this.name} to have the new version ${stages.join(' or ')}`,
      seconds,
      async () => {
        const version = await this.version();
        if (version)
          at = `it is ${version.stage}${version.reasons.length > 0 ? `: ${version.reasons.join('; ')}` : ''}`;
        const ended = ['refused', 'rolled-back', 'superseded'].includes(version?.stage ?? '');
        return version && (ended || stages.includes(version.stage)) ? version : undefined;
      },
      () => at,
    );
    if (stages.includes(found.stage)) return found;
    throw new EdgeError(
      'scenarioFailed',
      `${this.name} has the new version ${found.stage}: ${found.reasons.join('; ')}`,
      'docs/policies.md says what each reason means',
    );
  }

  /** An operator's signed word, over the broker. */
  async order(action: PolicyAction): Promise<void> {
    if (!this.#newest) throw new EdgeError('scenarioFailed', 'there is no version to give an order of', 'report this');
    await this.#remote.command({ name: 'policy', action, ...this.#newest }, this.#site.operator);
  }

  /** Shadows, activates and tries the version that is followed; what is in charge meanwhile is the balancer. */
  async adopt(patience: Patience, tell: (line: string) => void): Promise<void> {
    await this.reach(['eligible'], patience);
    await this.arm(BALANCER, patience);
    await this.order('shadow');
    const { shadow } = await patience.until(`the shadow on ${this.name}`, PATIENCE, async () => {
      const version = await this.reach(['eligible', 'shadow'], patience);
      return version.shadow && version.shadow.seconds >= version.shadow.wanted ? version : undefined;
    });
    tell(
      `${this.name}: shadowed for ${shadow?.seconds.toFixed(0)} s, differs from the balancer by ${shadow?.rms.toFixed(2)} rms`,
    );
    await this.order('activate');
    await this.reach(['active'], patience);
    const { control, operator } = this.#site;
    await control.command({ name: 'mode', mode: { task: TASK, controller: this.#newest?.id ?? '' } }, operator);
    tell(`${this.name}: activated, on trial`);
    await this.reach(['committed'], patience);
    await control.disarm();
  }

  async close(): Promise<void> {
    this.#remote.close();
    await this.#site.close();
  }
}

/** An event of control: a version has come to a stage. */
const policyUpdate = z.looseObject({
  event: z.literal('policy-update'),
  id: z.string(),
  version: z.number(),
  stage: policyStageSchema,
});

const keyOf = (which: { id: string; version: number } | undefined): string => `${which?.id}@${which?.version}`;

/** `undefined` while the robot has not been heard of. */
async function online(url: string, robot: string): Promise<BrokerClient | undefined> {
  const client = await BrokerClient.connect({ url, robot });
  try {
    await client.status();
    return client;
  } catch (error) {
    client.close();
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}
