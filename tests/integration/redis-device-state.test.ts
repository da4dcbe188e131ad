import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { DeviceStateStore } from '../../src/storage/device-state.js';
import { openDeviceState } from '../../src/storage/open-device-state.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { deviceStateContract } from '../contracts/device-state.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { freePort } from '../support/free-port.js';
import { recordEvents, type RecordedEvents } from '../support/record-events.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Where there is a URL, the database is not asked. */
const NO_DATABASE = {} as never;

const open = (url: string, events: RecordedEvents = recordEvents()): Promise<DeviceStateStore> =>
  openDeviceState({ state: { url } }, NO_DATABASE, events);

const failureOf = async (call: Promise<unknown>): Promise<OperationalError> => {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OperationalError)) throw error;
  return error;
};

/** Calls until it succeeds: a client that was cut off takes a moment to come back. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof OperationalError && error.retryable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

deviceStateContract('Redis', async () => {
  const server = await startRedis();
  return { store: await open(server.url), reopen: () => open(server.url), dispose: () => server.remove() };
});

describe('device state in Redis', () => {
  let server: RedisServer;
  let store: DeviceStateStore;
  const PASSWORD = 'a pass/word@%41';

  beforeAll(async () => {
    server = await startRedis({ password: PASSWORD });
    store = await open(server.url);
  });
  afterAll(async () => {
    await store.close();
    await server.remove();
  });

  it('is a hash that other programs can read, and that expires when a device is gone', async () => {
    const state = { temp_mean: 81.25, temp_std: 0.1 + 0.2, temp_time_us: 1_793_491_200_123_456, name: '1' };
    await store.save('stats', new Map([['Well 7: north', state]]));
    expect(await server.command('hgetall', 'device:Well 7: north:stats')).toEqual({
      temp_mean: '81.25',
      temp_std: '0.30000000000000004',
      temp_time_us: '1793491200123456',
      name: "'1",
    });
    const seconds = (await server.command('ttl', 'device:Well 7: north:stats')) as number;
    expect(seconds).toBeGreaterThan(29 * 86_400);
    expect(seconds).toBeLessThanOrEqual(30 * 86_400);
  });

  it('renews the expiry with every save', async () => {
    await store.save('stats', new Map([['w1', { a: 1 }]]));
    await server.command('expire', 'device:w1:stats', 100);
    await store.save('stats', new Map([['w1', { a: 2 }]]));
    expect(await server.command('ttl', 'device:w1:stats')).toBeGreaterThan(29 * 86_400);
  });

  it('takes what another program has put in its place as nothing, and replaces it', async () => {
    await server.command('set', 'device:odd:stats', 'not a hash');
    await store.save('stats', new Map([['even', { a: 1 }]]));
    expect(await store.load('stats', ['odd', 'even'])).toEqual(new Map([['even', { a: 1 }]]));
    await store.save('stats', new Map([['odd', { a: 2 }]]));
    expect(await store.load('stats', ['odd'])).toEqual(new Map([['odd', { a: 2 }]]));
  });

  it('refuses a password that is wrong at the start, and shows none', async () => {
    const wrong = server.url.replace(encodeURIComponent(PASSWORD), 'my-wrong-secret');
    const error = await failureOf(open(wrong));
    expect(error).toMatchObject({ code: 'state_refused', retryable: false });
    expect(
      JSON.stringify([error, error.message, error.stack, error.cause, (error.cause as Error).stack]),
    ).not.toContain('my-wrong-secret');
  });

  it.each(['http://127.0.0.1:1', 'redis:', 'localhost:6379', 'redis//x'])('refuses %s as a URL', async (url) => {
    expect(await failureOf(open(url))).toMatchObject({ code: 'invalid_configuration' });
  });

  it('says what Redis says when it takes nothing more, and never a password', async () => {
    await server.command('config', 'set', 'maxmemory', 1);
    onTestFinished(async () => void (await server.command('config', 'set', 'maxmemory', 0)));
    const error = await failureOf(store.save('stats', new Map([['w1', { a: 3 }]])));
    expect(error).toMatchObject({ code: 'state_unavailable', retryable: true });
    expect(error.message).toContain('OOM');
    expect(error.message).not.toContain(PASSWORD);
  });
});

describe('rediss://', () => {
  it('speaks TLS, and only with a server whose certificate somebody vouches for', async () => {
    const directory = temporaryDirectory('redis-tls');
    const [certificate, key] = [`${directory}/server.pem`, `${directory}/server.key`];
    const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1';
    const files = ['-keyout', key, '-out', certificate, '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', [...request.split(' '), ...files], { stdio: 'pipe' });
    const port = await freePort();
    const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'];
    const server = await startRedis({ settings: ['--tls-port', String(port), ...tls] });
    onTestFinished(() => server.remove());
    const url = `rediss://127.0.0.1:${port}`;
    const events = recordEvents();
    const unvouched = await open(url, events);
    onTestFinished(() => unvouched.close());
    expect(events.named('device_state_unavailable').map(({ error }) => String(error))).toEqual([
      expect.stringContaining('self-signed certificate'),
    ]);
    // Node reads the authorities that it trusts when it starts.
    const script = `
      import { openDeviceState } from './dist/src/storage/open-device-state.js';
      const events = { emit: (name, { error }) => { throw error; } };
      const store = await openDeviceState({ state: { url: ${JSON.stringify(url)} } }, undefined, events);
      await store.save('stats', new Map([['w1', { a: 1 }]]));
      await store.close();`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
      stdio: 'pipe',
    });
    expect(await server.command('hgetall', 'device:w1:stats')).toEqual({ a: '1' });
  }, 20_000);
});

describe('Redis away', () => {
  it.each(['stop', 'kill'] as const)('fails at once after %s, and goes on by itself after a restart', async (end) => {
    const server = await startRedis();
    onTestFinished(() => server.remove());
    const store = await open(server.url);
    onTestFinished(() => store.close());
    await store.save('stats', new Map([['w1', { a: 1 }]]));
    await server[end]();
    expect(await failureOf(store.load('stats', ['w1']))).toMatchObject({ code: 'state_unavailable', retryable: true });
    expect(await failureOf(store.save('stats', new Map([['w1', { a: 2 }]])))).toMatchObject({ retryable: true });
    await server.restart();
    expect(await eventually(() => store.load('stats', ['w1']))).toEqual(new Map([['w1', { a: 1 }]]));
  });

  it('is no reason not to start: it is reported, and connected to later', async () => {
    const server = await startRedis();
    onTestFinished(() => server.remove());
    await server.stop();
    const events = recordEvents();
    const store = await open(server.url, events);
    onTestFinished(() => store.close());
    expect(events.named('device_state_unavailable').map(({ error }) => String(error))).toEqual([
      expect.stringContaining('ECONNREFUSED'),
    ]);
    await server.restart();
    await eventually(() => store.save('stats', new Map([['w1', { a: 1 }]])));
  });

  it('a connection that hangs without closing is given up', async () => {
    const server = await startRedis();
    onTestFinished(() => server.remove());
    const proxy = await startFaultProxy(server.port);
    onTestFinished(() => proxy.close());
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    onTestFinished(() => store.close());
    await store.save('stats', new Map([['w1', { a: 1 }]]));
    proxy.hang();
    expect(await failureOf(store.load('stats', ['w1']))).toMatchObject({ code: 'state_unavailable', retryable: true });
    proxy.heal();
    expect(await eventually(() => store.load('stats', ['w1']))).toEqual(new Map([['w1', { a: 1 }]]));
  }, 20_000);
});
