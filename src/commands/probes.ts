/** How a process looks at what it depends on. */
import { statfs } from 'node:fs/promises';
import type { Config } from '../config/schema.js';
import type { KeyRing } from '../ingest/keys/key-ring.js';
import type { Probe } from '../monitoring/readiness.js';
import type { Queue } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import type { DeviceStateStore } from '../storage/device-state.js';
import type { HeldWrites } from './held-writes.js';

const BYTES_PER_MEBIBYTE = 1024 * 1024;

/** @param open the database, which need not be there yet */
export function databaseProbe(open: () => Promise<Database>, { isRequired }: Pick<Probe, 'isRequired'>): Probe {
  return {
    name: 'database',
    isRequired,
    async look() {
      const database = await open();
      await database.query('SELECT 1');
      return { ok: true, detail: `PostgreSQL ${database.capabilities.postgresVersion} answers` };
    },
  };
}

/** Of who asks for keys: not well while nobody can be let in. */
export function keysProbe(keys: KeyRing): Probe {
  return { name: 'keys', isRequired: true, look: () => Promise.resolve(keys.health()) };
}

/** Of who publishes: not well while a publication would be refused. */
export function publishingProbe(queue: Queue): Probe {
  return { name: 'queue', isRequired: true, look: async () => (await queue.health()).publishing };
}

/** Of who consumes: not well while nothing can come. */
export function consumingProbe(queue: Queue): Probe {
  return { name: 'queue', isRequired: true, look: async () => (await queue.health()).consuming };
}

/** A batch that the database does not take is held, and with it the queue: whatever the reason, nothing moves. */
export function writesProbe(writes: HeldWrites): Probe {
  return {
    name: 'pipeline',
    isRequired: true,
    look: async () => ({ ok: writes.failure === undefined, detail: writes.failure?.message ?? 'no batch is held' }),
  };
}

/** Without it the pipeline goes on from memory. */
export function stateProbe(state: DeviceStateStore): Probe {
  return { name: 'state', isRequired: false, look: async () => ({ ok: true, detail: await state.check() }) };
}

/** Room for another segment of the queue; whether something can still be written, queue and database say themselves. */
export function diskProbe({ dataDir, queue }: Pick<Config, 'dataDir' | 'queue'>): Probe {
  return {
    name: 'disk',
    isRequired: false,
    async look() {
      const { bavail, bsize } = await statfs(dataDir);
      const detail = `${Math.floor((bavail * bsize) / BYTES_PER_MEBIBYTE)} MiB free in ${dataDir}`;
      const ok = bavail * bsize >= queue.segmentBytes;
      return { ok, detail: ok ? detail : `${detail}: free some space before writing stops` };
    },
  };
}
