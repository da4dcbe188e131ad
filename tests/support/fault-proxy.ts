import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy on 127.0.0.1 in front of a real server, for the faults that a network has. */
export interface FaultProxy {
  readonly port: number;
  /** Connections that are open at present. */
  readonly connections: number;
  /** Resets every open connection; new ones are welcome. */
  cut(): void;
  /** From here on nothing passes in either direction, and nobody is told. */
  hang(): void;
  /** Resets every connection, open and new. */
  refuse(): void;
  /** Back to normal: what had been held back passes, new connections work. */
  heal(): void;
  close(): Promise<void>;
}

type Mode = 'pass' | 'hang' | 'refuse';

export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let mode: Mode = 'pass';

  const add = (socket: Socket): void => {
    sockets.add(socket);
    if (mode === 'hang') socket.pause();
    socket.on('close', () => sockets.delete(socket));
    // A reset is what this proxy is for; the other side learns of it by `close`.
    socket.on('error', () => {});
  };
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };

  const server = createServer({ noDelay: true }, (client) => {
    if (mode === 'refuse') return void client.resetAndDestroy();
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      add(from);
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => mode === 'pass' && from.resume());
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
    }
    if (mode === 'hang') for (const socket of sockets) socket.pause();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    hang() {
      mode = 'hang';
      for (const socket of sockets) socket.pause();
    },
    refuse() {
      mode = 'refuse';
      cut();
    },
    heal() {
      mode = 'pass';
      for (const socket of sockets) socket.resume();
    },
    async close() {
      mode = 'refuse';
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
