import { describe, expect, it } from 'vitest';
import { Readiness, type Health, type Probe } from '../../src/monitoring/readiness.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

const WELL: Health = { ok: true, detail: 'well' };
const ILL: Health = { ok: false, detail: 'ill' };
/** No look is good for longer than the question. */
const ALWAYS_ANEW = { freshMs: 0 };

const probe = (name: string, look: () => Promise<Health>, isRequired = true): Probe => ({ name, isRequired, look });
const steady = (name: string, health: Health, isRequired?: boolean): Probe =>
  probe(name, () => Promise.resolve(health), isRequired);

describe('readiness', () => {
  it.each([
    ['ready', []],
    ['ready', [steady('a', WELL), steady('b', WELL, false)]],
    ['degraded', [steady('a', WELL), steady('b', ILL, false)]],
    ['not_ready', [steady('a', ILL), steady('b', ILL, false)]],
    ['not_ready', [steady('a', WELL), steady('a', ILL)]],
    ['not_ready', [steady('a', ILL, false), steady('a', WELL)]],
  ])('is %s', async (status, probes) => expect((await new Readiness(probes).report()).status).toBe(status));

  it('says what is wrong in the words of whoever looked', async () => {
    const away = probe('database', () => Promise.reject(new OperationalError('database_unavailable', 'It is away.')));
    const { checks } = await new Readiness([
      away,
      steady('queue', WELL),
      steady('queue', { ok: true, detail: 'x' }),
    ]).report();
    expect(checks['database']).toMatchObject({ ok: false, detail: 'It is away.', required: true });
    expect(checks['queue']).toMatchObject({ ok: true, detail: 'well; x' });
  });

  it('looks once for all who ask at a time, and not again while the answer is fresh', async () => {
    let looks = 0;
    const counted = probe('a', () => Promise.resolve(++looks > 1 ? ILL : WELL));
    const readiness = new Readiness([counted, counted], { freshMs: 60_000 });
    await Promise.all([readiness.report(), readiness.report()]);
    expect([(await readiness.report()).status, looks]).toEqual(['ready', 1]);
  });

  it('tells since when it has been so', async () => {
    let health = WELL;
    const readiness = new Readiness([probe('a', () => Promise.resolve(health))], ALWAYS_ANEW);
    const first = (await readiness.report()).checks['a'];
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await readiness.report()).checks['a']?.since).toBe(first?.since);
    health = ILL;
    expect(Date.parse((await readiness.report()).checks['a']?.since ?? '')).toBeGreaterThan(
      Date.parse(first?.since ?? ''),
    );
  });

  it('answers while a dependency does not: first as it was, then as away, and as it is when it answers', async () => {
    let answer: (health: Health) => void = () => undefined;
    let isSilent = false;
    const sometimes = probe('a', () =>
      isSilent ? new Promise((resolve) => (answer = resolve)) : Promise.resolve(WELL),
    );
    const readiness = new Readiness([sometimes], { freshMs: 0, waitMs: 5, lateMs: 200 });
    expect((await readiness.report()).status).toBe('ready');
    isSilent = true;
    expect((await readiness.report()).checks['a']).toMatchObject(WELL);
    while ((await readiness.report()).status === 'ready') await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await readiness.report()).checks['a']?.detail).toMatch(/^has not answered for \d+ s$/);
    answer(WELL);
    isSilent = false;
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect((await readiness.report()).checks['a']).toMatchObject(WELL);
  });

  it('is not ready as long as it has never had an answer', async () => {
    const silent = probe('a', () => new Promise(() => undefined));
    const { status, checks } = await new Readiness([silent], { waitMs: 1, lateMs: 60_000 }).report();
    expect([status, checks['a']?.detail]).toEqual(['not_ready', 'has not answered yet']);
  });

  it('passes on what is a defect', async () => {
    const broken = probe('a', () => Promise.reject(new TypeError('broken')));
    await expect(new Readiness([broken]).report()).rejects.toThrow('broken');
  });
});
