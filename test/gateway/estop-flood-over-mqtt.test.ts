import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { topic } from '../../src/messages/mqtt.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, ROBOT } from './rig.ts';

const FLOOD = 10_000;
/** One control looks at so much of what the broker sends in one turn, whatever that is [bytes]. */
const BYTES_PER_TURN = 1024;
/** Far below what a flood that is kept would take, far above what a heap breathes [kB]. */
const MEMORY = 64 * 1024;

/** [kB] */
function residentMemory(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]);
}

describe.skipIf(noMosquitto)('ten thousand emergency stops over MQTT (needs mosquitto)', () => {
  it('cost no frame', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker });
    const { robot } = rig;
    await robot.stand();
    const listener = await rig.listener();
    await listener.state('the gateway is up', ({ online }) => online);
    await robot.status('the ear is up', ({ counters }) => counters['estopClient.connections'] === 1);
    const before = await robot.control.status();
    const memory = residentMemory(before.pid);
    const { commandsRejected } = await robot.simulator.truth();

    const half = Array.from({ length: FLOOD / 2 }, (_, number) => `stop ${number}\n`).join('');
    const flood = ['0', '1'].map((qos) => broker.publish(['-t', topic(ROBOT, 'estop'), '-q', qos, '-l'], half));
    await robot.truth('torque off', ({ state }) => state === 'estopped');
    await Promise.all(flood);
    const after = await robot.status('control has read them all', ({ counters }) => {
      return (counters['estopClient.stops'] ?? 0) >= FLOOD;
    });

    expect(after).toMatchObject({ state: 'estopped', estop: { latched: true, onDisk: true }, pid: before.pid });
    const grown = (name: string) => (after.counters[name] ?? 0) - (before.counters[name] ?? 0);
    expect(grown('frames')).toBeGreaterThan(0);
    expect(grown('frames.lost')).toBe(0);
    expect(grown('link.silences')).toBe(0);
    expect(grown('rows.lost')).toBe(0);
    expect(after.counters.answered).toBe(after.counters.frames);
    expect(grown('superseded')).toBe(0);
    // Not one command came too late.
    const { expired, unknownAnswer } = commandsRejected;
    expect((await robot.simulator.truth()).commandsRejected).toMatchObject({ expired, unknownAnswer });
    expect(after.counters['estopClient.mostBytesPerTurn']).toBeLessThanOrEqual(BYTES_PER_TURN);
    expect(residentMemory(after.pid) - memory).toBeLessThan(MEMORY);

    // Everybody is told, but in a few words.
    await listener.event('estop-stage', ({ stage }) => stage === 'confirmed');
    expect(listener.events('estop-stage').length).toBeLessThan(FLOOD / 10);
    expect(listener.events('estop')).toHaveLength(1);
    await rig.recording();
  });
});
