import { complainAbout, say } from '../../src/commands/output.ts';
import { EdgeError } from '../../src/errors.ts';

/** One bench: measures, prints lines for people, asserts nothing. @returns the figures, for `--json` */
export type Bench = () => Promise<object>;

/** Each bench is loaded only when it is asked for. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  collecting: async () => (await import('./collecting.ts')).collecting,
  codec: async () => (await import('./codec.ts')).codec,
  estop: async () => (await import('./estop.ts')).estop,
  fleet: async () => (await import('./fleet.ts')).fleet,
  training: async () => (await import('./training.ts')).training,
  simulation: async () => (await import('./simulation.ts')).simulation,
  recording: async () => (await import('./recording.ts')).recording,
};

async function main([name = '', ...options]: readonly string[]): Promise<void> {
  const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const unknown = options.find((option) => option !== '--json');
  if (load === undefined || unknown !== undefined) {
    const what = load === undefined ? `there is no bench "${name}"` : `"${unknown}" is no option of a bench`;
    const names = Object.keys(BENCHES).join(', ');
    throw new EdgeError('usage', what, `npm run bench -- NAME [--json], NAME one of: ${names}`);
  }
  const bench = await load();
  const figures = await bench();
  if (options.includes('--json')) say(JSON.stringify(figures));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  complainAbout(error);
  process.exitCode = 1;
}
