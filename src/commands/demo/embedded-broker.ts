import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { EdgeError } from '../../errors.ts';

/** A broker inside the demo, for machines that have none. */
export interface EmbeddedBroker {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws EdgeError `simulatorMissing` where optional packages were left out */
export async function embedBroker(): Promise<EmbeddedBroker> {
  const { Aedes } = await import('aedes').catch(() => {
    throw new EdgeError(
      'simulatorMissing',
      'the embedded broker is not installed',
      '`npm ci`, or name a broker with --broker',
    );
  });
  const aedes = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    aedes.handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(resolve));
    },
  };
}
