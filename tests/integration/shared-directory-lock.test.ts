import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { openBroker } from '../../src/queue/open-broker.js';
import { acquireDirectoryLock, readDirectoryLock } from '../../src/storage/directory-lock.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { SharedDirectoryLock } from '../../src/storage/shared-directory-lock.js';
import { recordEvents } from '../support/record-events.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

it('is taken with the first share and freed with the last, however often each is given back', async () => {
  const dataDir = temporaryDirectory();
  const shared = new SharedDirectoryLock(dataDir, { command: 'up' });
  await shared.setServiceUrl('http://127.0.0.1:1');
  expect([shared.isHeld, readDirectoryLock(dataDir)]).toEqual([false, undefined]);
  const [first, second] = await Promise.all([shared.share(), shared.share()]);
  await shared.setServiceUrl('http://127.0.0.1:2');
  expect(readDirectoryLock(dataDir)).toMatchObject({ command: 'up', serviceUrl: 'http://127.0.0.1:2' });
  first();
  first();
  expect([shared.isHeld, readDirectoryLock(dataDir)?.pid]).toEqual([true, process.pid]);
  second();
  expect([shared.isHeld, readDirectoryLock(dataDir)]).toEqual([false, undefined]);
  (await shared.share())();
  expect(readDirectoryLock(dataDir)).toBeUndefined();
});

it('says what else can be done when another process has the directory, and can be tried again', async () => {
  const dataDir = temporaryDirectory();
  const other = await acquireDirectoryLock(dataDir, { command: 'ingest' });
  const shared = new SharedDirectoryLock(dataDir, { command: 'pipeline', remedy: 'Or set queue.url.' });
  await expect(shared.share()).rejects.toMatchObject({ code: 'directory_locked', retryable: true });
  await expect(shared.share()).rejects.toThrow(/in use by `downhole ingest`.*Or set queue\.url\.$/);
  expect(shared.isHeld).toBe(false);
  other.release();
  (await shared.share())();
});

it('is held by an embedded database and an embedded queue as long as they are open', { timeout: 120_000 }, async () => {
  const dataDir = join(temporaryDirectory(), 'data');
  const config = loadConfig({ environment: {}, overrides: { dataDir } });
  const shared = new SharedDirectoryLock(dataDir, { command: 'up' });
  const broker = await openBroker(config, recordEvents(), shared);
  const database = await openDatabase(config, recordEvents(), shared);
  await broker.close();
  expect(readDirectoryLock(dataDir)?.pid).toBe(process.pid);
  await database.close();
  expect(readDirectoryLock(dataDir)).toBeUndefined();
});

it('is not taken for what is on a server', async () => {
  const dataDir = join(temporaryDirectory(), 'data');
  const overrides = { dataDir, 'database.url': 'postgres://127.0.0.1:1/x', 'queue.url': 'amqp://127.0.0.1:1' };
  const config = loadConfig({ environment: {}, overrides });
  const shared = new SharedDirectoryLock(dataDir, { command: 'up' });
  await expect(openDatabase(config, recordEvents(), shared)).rejects.toMatchObject({ code: 'database_unavailable' });
  await expect(openBroker(config, recordEvents(), shared)).rejects.toMatchObject({ code: 'queue_unavailable' });
  expect(existsSync(dataDir)).toBe(false);
});
