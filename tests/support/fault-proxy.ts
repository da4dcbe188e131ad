import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What clients send, or what the server sends. */
export type Direction = 'requests' | 'answers';

/** A TCP proxy on 127.0.0.1 in front of a real server, for the faults that a network has. */
export interface FaultProxy {
  readonly port: number;
  /** Connections that are open at present. */
  readonly connections: number;
  /** Resets every open connection; new ones are welcome. */
  cut(): void;
  /** From here on nothing passes, in this direction or in both, and nobody is told. */
  hang(direction?: Direction): void;
  /** Resets every connection, open and new. */
  refuse(): void;
  /** Back to normal: what had been held back passes, new connections work. */
  heal(): void;
  /**
   * Does `act` when a client next sends `text`, before that is passed on or right after it; resolves when that was. What
   * `act` makes impassable or cuts off does not arrive.
   */
  once(moment: 'before' | 'after', text: string, act: () => void): Promise<void>;
  close(): Promise<void>;
}

/** One direction of one connection. */
interface Lane {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  /** Read, and to be passed on when the proxy is healed. */
  held: Buffer[];
}

interface Trap {
  readonly moment: 'before' | 'after';
  readonly text: Buffer;
  readonly spring: () => void;
}

export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const lanes = new Set<Lane>();
  const hanging = new Set<Direction>();
  let refusing = false;
  let traps: Trap[] = [];

  const spring = (moment: Trap['moment'], chunk: Buffer): void => {
    const sprung = traps.filter((trap) => trap.moment === moment && chunk.includes(trap.text));
    traps = traps.filter((trap) => !sprung.includes(trap));
    for (const trap of sprung) trap.spring();
  };
  const pass = (lane: Lane, chunk: Buffer): void => {
    const { from, to, direction } = lane;
    if (direction === 'requests') spring('before', chunk);
    if (to.destroyed) return;
    if (hanging.has(direction)) {
      lane.held.push(chunk);
      from.pause();
      return;
    }
    if (!to.write(chunk)) from.pause();
    if (direction === 'requests') spring('after', chunk);
  };
  const add = (from: Socket, to: Socket, direction: Direction): void => {
    const lane: Lane = { from, to, direction, held: [] };
    lanes.add(lane);
    if (hanging.has(direction)) from.pause();
    from.on('data', (chunk) => pass(lane, chunk));
    to.on('drain', () => !hanging.has(direction) && from.resume());
    from.on('end', () => to.end());
    from.on('close', () => {
      lanes.delete(lane);
      to.destroy();
    });
    // A reset is what this proxy is for; the other side learns of it by `close`.
    from.on('error', () => {});
  };
  const cut = (): void => {
    for (const { from } of lanes) from.resetAndDestroy();
  };

  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) return void client.resetAndDestroy();
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    add(client, upstream, 'requests');
    add(upstream, client, 'answers');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return lanes.size / 2;
    },
    cut,
    hang(direction) {
      for (const each of direction === undefined ? (['requests', 'answers'] as const) : [direction]) hanging.add(each);
      for (const lane of lanes) if (hanging.has(lane.direction)) lane.from.pause();
    },
    refuse() {
      refusing = true;
      cut();
    },
    heal() {
      hanging.clear();
      refusing = false;
      for (const lane of lanes) {
        for (const chunk of lane.held.splice(0)) lane.to.write(chunk);
        lane.from.resume();
      }
    },
    once: (moment, text, act) =>
      new Promise((resolve) => {
        const trap: Trap = {
          moment,
          text: Buffer.from(text, 'latin1'),
          spring: () => {
            act();
            resolve();
          },
        };
        traps.push(trap);
      }),
    async close() {
      refusing = true;
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
