import { connect } from 'node:net';
import { join } from 'node:path';
import { EdgeError, messageOf } from '../errors.ts';
import type { Config } from '../messages/config.ts';
import {
  CONFIRMATION_FOLDER,
  CONFIRMATION_SOCKET,
  confirmationAnswerSchema,
  type StopSeen,
  stopSeenSchema,
} from '../messages/confirmation.ts';
import { jsonForSocket, MAX_ANSWER, SocketSplitter } from '../messages/socket-frame.ts';

/** How long control may take to answer [ms]. */
const PATIENCE = 5000;

/**
 * Says on the robot itself that the stop that is in force may be undone. A signed reset within a minute then undoes it.
 * @returns the stop that was confirmed; `undefined` when none is in force
 * @throws EdgeError `notRunning` when control's own socket cannot be reached, `requestRefused`, `noAnswer`
 */
export async function confirmReset(config: Config): Promise<StopSeen | undefined> {
  const path = join(config.runtimeDirectory, CONFIRMATION_FOLDER, CONFIRMATION_SOCKET);
  const socket = connect(path);
  const splitter = new SocketSplitter(MAX_ANSWER);
  const messages = (async function* () {
    for await (const bytes of socket) {
      splitter.push(bytes);
      for (let message = splitter.next(); message; message = splitter.next()) {
        yield JSON.parse(message.payload.toString('utf8')) as unknown;
      }
    }
  })();
  socket.setTimeout(PATIENCE, () => socket.destroy(new Error('no answer')));
  try {
    const seen = stopSeenSchema.safeParse((await messages.next()).value).data;
    if (!seen) throw new Error('control closed the connection');
    if (!seen.latched) return undefined;
    socket.write(jsonForSocket({ confirm: seen.stop }));
    const answer = confirmationAnswerSchema.safeParse((await messages.next()).value).data;
    if (!answer) throw new Error('control closed the connection');
    if (answer.ok) return seen;
    const { code, message, remedy } = answer.refusal;
    throw new EdgeError('requestRefused', `${message} (${code})`, remedy);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(
      'notRunning',
      `a reset cannot be confirmed on ${path}: ${messageOf(error)}`,
      'start control with `h2o-edge run`; if it runs as another user, confirm as that user: `sudo -u USER h2o-edge reset --confirm`',
      { cause: error },
    );
  } finally {
    socket.destroy();
  }
}
