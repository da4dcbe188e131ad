/** Keys as an operator works with them: on the command line, before and while a service runs, embedded and on a server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { writeCertificates } from '../support/certificates.js';
import { Client } from '../support/client.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const KEY = /^dh_([0-9a-f]{12})_[A-Za-z0-9_-]{43}\n$/;
const SLOW_MS = 180_000;
const GOOD = { device_id: 'ESP-1', timestamp: '2026-01-01T00:00:00Z', temperature: 80 };

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const idOf = (key: string): string => key.split('_')[1] as string;

describe('on the embedded database', () => {
  let service: Service | undefined;
  afterEach(async () => {
    await service?.kill();
    service = undefined;
  });

  it(
    'the first key is made before the start; then everything goes through the service, over HTTPS',
    async () => {
      const dataDir = temporaryDirectory('keys');
      const directory = temporaryDirectory('keys-tls');
      const files = writeCertificates(directory);
      const caFile = join(directory, 'ca.crt');
      writeFileSync(caFile, files.ca);
      const environment = {
        DOWNHOLE_DATA_DIR: dataDir,
        DOWNHOLE_HTTP_REQUIRE_KEYS: 'true',
        DOWNHOLE_HTTP_TLS_CERTIFICATE_FILE: files.certificateFile,
        DOWNHOLE_HTTP_TLS_KEY_FILE: files.keyFile,
        DOWNHOLE_HTTP_TLS_CA_FILE: caFile,
      };
      const made = await runCommand(['keys', 'create', '--name', 'operations', '--scope', 'admin'], environment);
      expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(KEY)]);
      expect(made.stderr).not.toContain(made.stdout.trim());
      const admin = made.stdout.trim();

      service = await startService(dataDir, {
        ...environment,
        DOWNHOLE_HTTP_HOST: '0.0.0.0',
        DOWNHOLE_SIMULATOR_WELLS: '3',
        DOWNHOLE_SIMULATOR_BACKFILL_DAYS: '0',
        DOWNHOLE_LOG_LEVEL: 'debug',
      });
      const client = new Client(service.url, { ca: files.ca });
      // The simulated wells of the process have a key of their own.
      const stored = async (): Promise<number> => {
        const answer = await client.request('/v1/pipeline', { headers: bearer(admin) });
        return answer.json<{ conservation: { stored: number } }>().conservation.stored;
      };
      await expect.poll(stored, { timeout: 20_000 }).toBeGreaterThan(0);

      const refused = await runCommand(['keys', 'create', '--name', 'x'], environment);
      expect([refused.code, refused.stdout]).toEqual([1, '']);
      expect(refused.stderr).toContain('DOWNHOLE_API_KEY');
      const asAdmin = { ...environment, DOWNHOLE_API_KEY: admin };
      const sender = (
        await runCommand(['keys', 'create', '--name', 'gateway', '--expires', '30'], asAdmin)
      ).stdout.trim();
      expect((await client.post('/v1/telemetry', GOOD, bearer(sender))).status).toBe(202);
      expect((await client.request('/v1/keys', { headers: bearer(sender) })).status).toBe(403);

      const csv = join(directory, 'old.csv');
      writeFileSync(csv, 'timestamp,temperature\n2020-01-01T00:00:00Z,80\n2020-01-01T00:01:00Z,81\n');
      const imported = await runCommand(['import', csv, '--device', 'old'], {
        ...environment,
        DOWNHOLE_API_KEY: sender,
      });
      expect([imported.code, imported.stdout]).toEqual([0, 'stored 2, merged 0, duplicate 0, dead-lettered 0, of 2\n']);
      expect(imported.stderr).toContain('through the service at https://');
      const keyless = await runCommand(['import', csv, '--device', 'other'], environment);
      expect(keyless.code).toBe(1);
      expect(keyless.stderr).toContain('DOWNHOLE_API_KEY');

      const listed = await runCommand(['keys', 'list'], asAdmin);
      expect(listed.stdout).toMatch(new RegExp(`${idOf(sender)} +gateway +write +all devices +until 20`));
      expect(listed.stdout).toContain(idOf(admin));
      const revoked = await runCommand(['keys', 'revoke', idOf(sender)], asAdmin);
      expect([revoked.code, revoked.stdout]).toEqual([0, expect.stringContaining(`revoked ${idOf(sender)} (gateway)`)]);
      expect((await client.post('/v1/telemetry', GOOD, bearer(sender))).status).toBe(401);
      const nobody = await runCommand(['keys', 'revoke', 'abcdef123456'], asAdmin);
      expect([nobody.code, nobody.stdout]).toEqual([1, '']);

      const audit = (await runCommand(['audit', '--since', '1'], asAdmin)).stdout.split('\n');
      expect(audit[1]).toMatch(new RegExp(`key:${idOf(admin)} +key\\.revoke +${idOf(sender)} `));
      expect(audit[2]).toMatch(new RegExp(`key:${idOf(admin)} +key\\.create +${idOf(sender)} `));
      expect(audit[3]).toMatch(new RegExp(`cli:\\S+ +key\\.create +${idOf(admin)} `));

      const loaded = (): number => service?.log().split('"event":"certificate_loaded"').length ?? 0;
      files.renew();
      service.process.kill('SIGHUP');
      await expect.poll(loaded).toBe(3);
      expect((await client.get('/v1/health/live')).status).toBe(200);
      for (const key of [admin, sender]) expect(service.log()).not.toContain(key.slice(16));
      expect(await service.stop()).toBe(0);

      const after = await runCommand(['keys', 'list'], environment);
      expect(after.stdout).toMatch(new RegExp(`${idOf(admin)} +operations +admin +all devices +in force +20`));
    },
    SLOW_MS,
  );

  it(
    'refuses to go to other machines without keys or TLS',
    async () => {
      const refused = await runCommand(['up'], {
        DOWNHOLE_DATA_DIR: temporaryDirectory('bind'),
        DOWNHOLE_HTTP_HOST: '0.0.0.0',
        DOWNHOLE_HTTP_REQUIRE_KEYS: 'true',
      });
      expect([refused.code, refused.stdout]).toEqual([1, '']);
      expect(refused.stderr).toContain('http.tls.certificateFile');
    },
    SLOW_MS,
  );
});

describe('on a server', () => {
  let postgres: PostgresServer;
  let environment: Record<string, string>;
  beforeAll(async () => {
    postgres = await startPostgres();
    environment = {
      DOWNHOLE_DATABASE_URL: await postgres.createDatabase(),
      DOWNHOLE_TEST_PLAIN_SCHEMA: '1',
    };
  });
  afterAll(() => postgres.remove());

  it(
    'keys are made, listed and revoked, and each act is in the log',
    async () => {
      const run = (...args: string[]) => runCommand(args, environment);
      expect((await run('keys', 'list')).stdout).toMatch(/^ID +NAME/);
      const made = await run(
        'keys',
        'create',
        '--name',
        'north\u0007',
        '--scope',
        'write,read',
        '--site',
        'North',
        'South',
      );
      expect([made.code, made.stderr]).toEqual([2, expect.stringContaining('printable')]);
      const restricted = [
        '--site',
        'North',
        'South',
        '--device',
        'N-*',
        '--records-per-second',
        '500',
        '--expires',
        '2100-01-31',
      ];
      const { stdout } = await run('keys', 'create', '--name', 'north', '--scope', 'write,read', ...restricted);
      expect(stdout).toMatch(KEY);
      const line = (await run('keys', 'list')).stdout.split('\n')[1];
      expect(line).toMatch(
        /north +write,read +sites North, South; devices N-\*; 500 records\/s +until 2100-01-31T00:00:00Z +never/,
      );
      expect((await run('keys', 'revoke', stdout.trim())).code).toBe(0);
      expect((await run('keys', 'revoke', idOf(stdout))).code).toBe(0);
      expect((await run('keys', 'list')).stdout).toMatch(new RegExp(`${idOf(stdout)}.* revoked 20`));
      const audit = (await run('audit')).stdout;
      expect(audit.match(/key\.revoke/g)).toHaveLength(1);
      expect(audit).toMatch(/cli:\S+ +key\.create +\w+ +\{.*"sites":\["North","South"\]/);
      expect(audit).not.toContain(stdout.trim().slice(16));
    },
    SLOW_MS,
  );

  it.each([
    ['no name', ['create']],
    ['an unknown scope', ['create', '--name', 'x', '--scope', 'root']],
    ['a restricted administrator', ['create', '--name', 'x', '--scope', 'admin', '--site', 'North']],
    ['a star in the middle', ['create', '--name', 'x', '--device', 'a*b']],
    ['a time that is over', ['create', '--name', 'x', '--expires', '2020-01-01']],
    ['no time', ['create', '--name', 'x', '--expires', 'soon']],
    ['a rate of nothing', ['create', '--name', 'x', '--records-per-second', '0']],
    ['no number', ['create', '--name', 'x', '--requests-per-second', 'many']],
    ['an id that is missing', ['revoke']],
  ])('refuses %s', async (_name, args) => {
    const refused = await runCommand(['keys', ...args], environment);
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr.length).toBeGreaterThan(20);
  });

  it('explains itself, with examples', async () => {
    for (const args of [['keys', 'create'], ['keys', 'list'], ['keys', 'revoke'], ['audit'], ['cert', 'dev']]) {
      const help = await runCommand([...args, '--help']);
      expect([help.code, help.stdout], args.join(' ')).toEqual([0, expect.stringMatching(/Examples?:\n {2}downhole /)]);
    }
  });

  it('reads the key from a file, too', async () => {
    const file = join(temporaryDirectory('key-file'), 'key');
    writeFileSync(file, 'dh_x\n');
    const listed = await runCommand(['keys', 'list'], { ...environment, DOWNHOLE_API_KEY_FILE: file });
    expect([listed.code, readFileSync(file, 'utf8')]).toEqual([0, 'dh_x\n']);
  });
});
