import { once } from 'node:events';
import { connect } from 'node:net';
import type { RobotFolder } from './robot-folder.ts';

/** Tells the fixture trouble.cjs inside control; resolves when it has understood. */
export async function tellTrouble({ troubleSocket }: RobotFolder, request: Record<string, unknown>): Promise<void> {
  const socket = connect(troubleSocket);
  socket.write(`${JSON.stringify(request)}\n`);
  await once(socket, 'data');
  socket.destroy();
}
