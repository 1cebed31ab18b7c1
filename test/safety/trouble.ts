import { once } from 'node:events';
import { connect } from 'node:net';
import { jsonForSocket } from '../../src/messages/socket-frame.ts';
import type { RobotFolder } from './robot-folder.ts';

/** Tells the fixture trouble.cjs inside control; resolves when it has understood. */
export async function tellTrouble({ troubleSocket }: RobotFolder, request: Record<string, unknown>): Promise<void> {
  const socket = connect(troubleSocket);
  socket.write(`${JSON.stringify(request)}\n`);
  await once(socket, 'data');
  socket.destroy();
}

/** Asks for the rows, which one connection may have at a time, and reads nothing from then on. @returns what ends it */
export async function readNoRows({ controlSocket }: RobotFolder): Promise<() => void> {
  const socket = connect(controlSocket);
  await once(socket, 'connect');
  socket.write(jsonForSocket({ id: 1, request: 'subscribe', rows: true, events: false }));
  socket.pause();
  return () => void socket.destroy();
}
