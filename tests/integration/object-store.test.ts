import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AzureStore } from '../../src/archive/azure-store.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { readObject, type ObjectStore } from '../../src/archive/object-store.js';
import { openObjectStore } from '../../src/archive/open-object-store.js';
import { loadConfig } from '../../src/config/load-config.js';
import { objectStoreContract } from '../contracts/object-store.js';
import { startAzurite, type Azurite } from '../support/azurite.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { createTemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.js';

let azurite: Azurite | undefined;
const emulator = async (): Promise<Azurite> => (azurite ??= await startAzurite());
afterAll(() => azurite?.remove());

objectStoreContract('directory', () => {
  const directory = createTemporaryDirectory('archive');
  const root = join(directory.path, 'archive');
  return Promise.resolve({
    store: new DirectoryStore(root),
    reopen: () => Promise.resolve(new DirectoryStore(root)),
    dispose: () => directory.remove(),
  });
});

objectStoreContract('Azure Blob', async () => {
  const container = (await emulator()).container('contract');
  return {
    store: await AzureStore.open(container),
    reopen: () => AzureStore.open(container),
    dispose: () => Promise.resolve(),
  };
});

describe('the directory as an archive', () => {
  it('removes what killed processes have left, once it is a day old, and nothing else', async () => {
    const root = temporaryDirectory('archive');
    await mkdir(join(root, '.incomplete'));
    const old = new Date(Date.now() - 25 * 3_600_000);
    await writeFile(join(root, '.incomplete', 'old'), 'x');
    await utimes(join(root, '.incomplete', 'old'), old, old);
    await writeFile(join(root, '.incomplete', 'young'), 'x');
    await new DirectoryStore(root).put('year=2026/part', [Buffer.from('content')]);
    expect(await readdir(join(root, '.incomplete'))).toEqual(['young']);
    expect(await readFile(join(root, 'year=2026/part'), 'utf8')).toBe('content');
  });
});

describe('Azure Blob behind a network that fails', () => {
  let proxy: FaultProxy;
  let store: ObjectStore;

  beforeAll(async () => {
    const { port, container } = await emulator();
    proxy = await startFaultProxy(port);
    store = await AzureStore.open({ ...container('faults', proxy.port), maxTries: 4, retryDelayMs: 20 });
    await store.put('first', [Buffer.from('first')]);
  }, 90_000);
  afterAll(() => proxy.close());

  const put = (name: string) => store.put(name, [Buffer.alloc(20 * 1024 * 1024, name)]);

  it('uploads again what was cut off, block by block', async () => {
    const cut = proxy.once('before', 'comp=block&', () => proxy.cut());
    await put('cut');
    await cut;
    expect((await store.head('cut'))?.bytes).toBe(20 * 1024 * 1024);
  });

  it('knows its own commit again when the answer to it got lost', async () => {
    const cut = proxy.once('after', 'comp=blocklist', () => {
      proxy.hang('answers');
      setTimeout(() => {
        proxy.cut();
        proxy.heal();
      }, 300);
    });
    await put('committed');
    await cut;
    expect((await store.head('committed'))?.bytes).toBe(20 * 1024 * 1024);
  });

  it('goes on reading where the connection broke off', async () => {
    await put('read');
    let bytes = 0;
    for await (const piece of readObject(store, 'read')) {
      if (bytes === 0) void proxy.once('after', 'GET /', () => setImmediate(() => proxy.cut()));
      bytes += piece.length;
    }
    expect(bytes).toBe(20 * 1024 * 1024);
  });

  it('tries again what the service answers with 500 and 503, and tells it apart from a refusal', async () => {
    const { port, container } = await emulator();
    const answers = [500, 503, 503];
    const front = createServer((request, response) => {
      const status = answers.shift();
      if (status !== undefined) {
        request.resume();
        response.writeHead(status).end();
        return;
      }
      const { method, url: path, headers } = request;
      const passed = forward({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      request.pipe(passed);
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    try {
      const through = container('faults', (front.address() as AddressInfo).port);
      const troubled = await AzureStore.open({ ...through, maxTries: 4, retryDelayMs: 20 });
      await troubled.put('after-500', [Buffer.from('content')]);
      expect(answers).toEqual([]);
      expect(Buffer.from(await store.read('after-500', 0, 100)).toString()).toBe('content');
      answers.push(503, 503, 503, 503);
      await expect(troubled.head('after-500')).rejects.toMatchObject({ code: 'archive_unavailable', retryable: true });
    } finally {
      front.closeAllConnections();
      front.close();
    }
  });

  it('gives up with a failure that can be tried again, and works when the network is back', async () => {
    proxy.refuse();
    await expect(store.head('first')).rejects.toMatchObject({ code: 'archive_unavailable', retryable: true });
    await expect(store.put('away', [Buffer.from('x')])).rejects.toMatchObject({ code: 'archive_unavailable' });
    proxy.heal();
    expect(await store.head('away')).toBeUndefined();
    await store.put('away', [Buffer.from('x')]);
    expect(await store.head('away')).toEqual({ name: 'away', bytes: 1 });
  });

  it('says which right is missing, and never what the key is', async () => {
    const { url, connectionString } = (await emulator()).container('faults');
    const wrong = connectionString.replace(/AccountKey=..../, 'AccountKey=AAAA');
    const other = await AzureStore.open({ url, connectionString: wrong });
    await expect(other.head('first')).rejects.toMatchObject({ code: 'archive_refused', retryable: false });
    const refusal: unknown = await AzureStore.open({ url, connectionString: 'AccountKey=secret' }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 'invalid_configuration' });
    expect(String(refusal)).not.toContain('secret');
    await expect(
      AzureStore.open({ url: 'https://other.blob.core.windows.net/faults', connectionString }),
    ).rejects.toMatchObject({ code: 'invalid_configuration' });
  });
});

describe('archive.url', () => {
  const open = (environment: Record<string, string>) =>
    openObjectStore(loadConfig({ environment: { DOWNHOLE_DATA_DIR: '/somewhere', ...environment } }));

  it('chooses the archive', async () => {
    expect((await open({})).address).toBe('/somewhere/archive');
    expect((await open({ DOWNHOLE_ARCHIVE_URL: 'file:///mnt/an%20archive' })).address).toBe('/mnt/an archive');
    const url = 'https://account.blob.core.windows.net/telemetry-archive';
    expect((await open({ DOWNHOLE_ARCHIVE_URL: url })).address).toBe(url);
  });

  it('is refused where it names no container, or would go through the network in the clear', () => {
    const refused = (url: string, more = {}): unknown => {
      try {
        return loadConfig({ environment: { DOWNHOLE_ARCHIVE_URL: url, ...more } }).archive;
      } catch (error) {
        return String(error);
      }
    };
    expect(refused('https://account.blob.core.windows.net')).toMatch(/container/);
    expect(refused('https://account.blob.core.windows.net/a/b/c')).toMatch(/container/);
    expect(refused('http://account.blob.core.windows.net/archive')).toMatch(/https/);
    expect(refused('s3://bucket/archive')).toMatch(/file:/);
    expect(refused('', { DOWNHOLE_ARCHIVE_CONNECTION_STRING: 'a' })).toMatch(/archive\.url/);
  });
});
