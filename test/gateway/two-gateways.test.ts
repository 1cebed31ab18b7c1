import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { peekRow } from '../../src/recording/row-key.ts';
import { readRows } from '../../src/recording/segment-reader.ts';
import { verifyDirectory } from '../../src/recording/verify.ts';
import { until } from '../harness.ts';
import { Mosquitto, noMosquitto } from './mosquitto.ts';
import { Rig, TestGateway } from './rig.ts';

/** A second gateway for the same robot, with disk and broker of its own choice. */
function secondGateway({ robot }: Rig, broker: string): { gateway: TestGateway; recordings: string } {
  const config = JSON.parse(readFileSync(robot.configPath, 'utf8'));
  const stateDirectory = join(robot.folder, 'second');
  const path = join(robot.folder, 'second.yaml');
  writeFileSync(path, JSON.stringify({ ...config, stateDirectory, broker: { url: broker } }));
  return { gateway: new TestGateway(path), recordings: join(stateDirectory, 'recordings') };
}

/** The second one has written nothing, the first one all. */
async function firstHasAll(rig: Rig, recordings: string): Promise<void> {
  await rig.recording();
  const { counters, report } = await rig.readBack();
  expect(counters).toMatchObject({ answered: counters.frames, 'rows.lost': 0 });
  expect(report).toMatchObject({ rows: counters['rows.made'], gaps: 0, duplicates: 0, ok: true });
  if (existsSync(recordings)) expect((await verifyDirectory(recordings)).rows).toBe(0);
}

it('a second gateway ends if it would record into the same folder; elsewhere it gets rows only when the first one ends', async () => {
  const rig = await Rig.start({ pace: 'real' });
  await rig.recording();
  const same = new TestGateway(rig.robot.configPath);
  const { gateway, recordings } = secondGateway(rig, '');
  await until('it has ended', () => same.ended);
  expect(same.process.exitCode).toBe(1);
  expect(same.log).toMatch(/recordingFailed/);
  expect(same.log).not.toMatch(/^ {4}at /m);
  await until('it is told', () => gateway.log.includes('rows-taken'));
  await rig.robot.simulator.wait(1);
  await rig.recording();
  expect((await verifyDirectory(recordings)).rows).toBe(0);
  expect((await rig.robot.control.status()).counters).toMatchObject({ 'rows.lost': 0 });

  await rig.gateway?.stop();
  await rig.recording();
  await until('rows are its own now', async () => (await verifyDirectory(recordings)).rows > 0);
  // Between the two of them they have all; what the first one wrote while it ended, both of them.
  rig.gateway = gateway;
  const { counters } = await rig.readBack();
  const numbers = new Set<bigint>();
  for (const folder of [rig.recordings, recordings]) {
    const report = await verifyDirectory(folder);
    expect(report).toMatchObject({ gaps: 0, duplicates: 0, ok: true });
    for (const { file } of report.files) {
      for await (const row of readRows(join(folder, file))) numbers.add(peekRow(row)?.sequence ?? -1n);
    }
  }
  expect(numbers.size).toBe(counters['rows.made']);
});

describe.skipIf(noMosquitto)('two gateways with one name on a broker (needs mosquitto)', () => {
  it('do not fight for ever: one of them steps back and says so', async () => {
    const broker = await Mosquitto.start();
    const rig = await Rig.start({ broker, pace: 'real' });
    await rig.recording();
    const { gateway: second, recordings } = secondGateway(rig, broker.url);
    const logs = () => `${rig.gateway?.log}${second.log}`;
    await until('one of them steps back', () => logs().includes('session-taken-over'));
    const { retryInMs } = JSON.parse(
      logs()
        .split('\n')
        .find((line) => line.includes('session-taken-over')) ?? '{}',
    );
    expect(retryInMs).toBeGreaterThanOrEqual(60_000);
    // The other one has the broker to itself.
    const listener = await rig.listener();
    await listener.state('somebody speaks for the robot', () => true);
    expect(await listener.ask('challenge', {})).toMatchObject({ id: null });
    await firstHasAll(rig, recordings);
  });
});
