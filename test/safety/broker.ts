import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, freePort } from '../loopback.ts';
import { until } from '../until.ts';

export const noMosquitto = spawnSync('mosquitto', ['-h']).error !== undefined;

/** A real broker that is there to die. */
export class MortalBroker {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  /** @param folder for its configuration; it keeps nothing else on disk */
  static async start(folder: string): Promise<MortalBroker> {
    const port = await freePort();
    const config = join(folder, 'mosquitto.conf');
    writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
    const child = spawn('mosquitto', ['-c', config], { stdio: 'ignore' });
    await until('the broker listens', () => answers(port));
    return new MortalBroker(`mqtt://127.0.0.1:${port}`, child);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
