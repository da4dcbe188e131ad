/** `downhole episodes` as a user runs it: beside a running service, and without one. */
import { afterEach, expect, it } from 'vitest';
import type { EpisodeList } from '../../src/episodes/episode-schemas.js';
import { startPostgres } from '../support/postgres.js';
import { runCommand, startService, type Service } from '../support/service.js';
import { openPlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 180_000;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

it(
  'lists, shows, acknowledges, closes and annotates, and says what is wrong with a question',
  async () => {
    const postgres = await startPostgres();
    const { database, url, remove } = await openPlainTarget(postgres);
    try {
      await database.script(`
        INSERT INTO episodes (device_id, started_at, found_at, last_at, ended_at, diagnosis, confidence, evidence, detector)
        VALUES ('Well 7', '2026-03-01T00:00:00Z', '2026-03-01T00:01:00Z', '2026-03-01T01:00:00Z', '2026-03-01T01:00:00Z', 'gas_lock', .82,
          '{"for":["current falls"],"against":["flow is steady"],"missing":[]}', 'z-score')`);
      const run = (...args: string[]) =>
        runCommand(['episodes', ...args], { DOWNHOLE_DATABASE_URL: url, DOWNHOLE_TEST_PLAIN_SCHEMA: '1' });
      expect((await run('list')).stdout).toMatch(/Well 7 +2026-03-01T00:00:00Z +\S.* ended +gas_lock +0\.82/);
      const listed = JSON.parse((await run('list', '--state', 'ended', '--json')).stdout) as EpisodeList;
      expect(listed.episodes.map(({ id }) => id)).toEqual([1]);
      expect((await run('acknowledge', '1', '--note', 'on the way')).stdout).toMatch(/seen +20.* by cli:/);
      await run('note', '1', 'a valve');
      expect((await run('close', '1')).stdout).toMatch(/closed[^]*on the way[^]*a valve/);
      expect((await run('show', '1')).stdout).toMatch(/for +current falls[^]*against +flow is steady/);
      expect((await run('list', '--unacknowledged')).stdout).toBe('No such episode.\n');
      for (const [args, code, words] of [
        [['show', '77'], 1, 'There is no episode 77'],
        [['close', 'first'], 2, 'is no id'],
        [['note', '1', ' '], 2, 'The note is empty'],
        [['list', '--state', 'resolved'], 2, 'none of open'],
      ] as const) {
        const refused = await run(...args);
        expect([args, refused.code, refused.stderr]).toEqual([args, code, refused.stderr]);
        expect(refused.stderr).toContain(words);
      }
    } finally {
      await remove();
      await postgres.remove();
    }
  },
  SLOW_MS,
);

it(
  'goes through the service that holds the embedded database',
  async () => {
    const directory = temporaryDirectory('episodes');
    const run = (...args: string[]) => runCommand(['episodes', ...args], { DOWNHOLE_DATA_DIR: directory });
    service = await startService(directory);
    expect(await run('list', '--since', '7d')).toMatchObject({ code: 0, stdout: 'No such episode.\n', stderr: '' });
    expect((await run('acknowledge', '77')).stderr).toContain('There is no episode 77');
    expect((await run('show', '77')).code).toBe(1);
  },
  SLOW_MS,
);
