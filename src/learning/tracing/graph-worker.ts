// The thread of a WorkerRunner: one GraphRunner, asked by messages one after the other.
import { parentPort, workerData } from 'node:worker_threads';
import { EdgeError, messageOf } from '../../errors.ts';
import { GraphRunner } from './graph-runner.ts';
import type { Answer, Request, Start } from './worker-runner.ts';

const port = parentPort;
if (!port) throw new Error('this file is the entry of a worker thread');

const { program, state, options } = workerData as Start;
const created = GraphRunner.create(program, state, options);
// Whoever asks first is told why there is no runner.
created.catch(() => undefined);

async function answer(request: Request): Promise<unknown> {
  const runner = await created;
  switch (request.kind) {
    case 'ready':
      return undefined;
    case 'run':
      return runner.runParcel(request.inputs);
    case 'getState':
      return runner.getState();
    case 'setState':
      return runner.setState(request.state);
    case 'dispose':
      return runner.dispose();
  }
}

let last = Promise.resolve();
port.on('message', ({ id, request }: { id: number; request: Request }) => {
  last = last
    .then(() => answer(request))
    .then(
      (result): Answer => ({ id, result }),
      (error: unknown): Answer => ({ id, error: described(error) }),
    )
    .then((reply) => port.postMessage(reply));
});

function described(error: unknown): NonNullable<Answer['error']> {
  if (error instanceof EdgeError) return { codeName: error.codeName, message: error.message, remedy: error.remedy };
  return { codeName: 'stepInvalid', message: `the step fails: ${messageOf(error)}`, remedy: 'report the step' };
}
