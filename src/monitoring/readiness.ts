/**
 * Whether a process can do its work, judged by what it depends on. Somebody asks every few seconds, and perhaps several
 * at a time: a dependency is looked at once a second at most, and one that does not answer does not hold up the answer.
 */
import { OperationalError } from '../telemetry/operational-error.js';
import { isDoneWithin } from '../telemetry/time-limit.js';

/** How something is. */
export interface Health {
  readonly ok: boolean;
  /** For a person: how it is, or what is wrong. */
  readonly detail: string;
}

/** One look at a dependency. */
export interface Probe {
  /** `database`, `queue` … Probes of one name are one dependency, which is well when all of them say so. */
  readonly name: string;
  /** Whether the process is of no use without it. */
  readonly isRequired: boolean;
  /** An OperationalError is as good an answer: then it is not well for that reason. */
  look(): Promise<Health>;
}

export interface DependencyState extends Health {
  /** Since when it has been so, or so seen; RFC 3339. */
  readonly since: string;
  readonly required: boolean;
}

export interface ReadinessReport {
  /** `degraded`: it serves, and something is missing that it can do without for a while. */
  readonly status: 'ready' | 'degraded' | 'not_ready';
  readonly checks: Readonly<Record<string, DependencyState>>;
}

export interface ReadinessTimes {
  /** How long an answer is good for. */
  readonly freshMs: number;
  /** How long a question waits for a dependency; then the last answer stands … */
  readonly waitMs: number;
  /** … until it has not answered for this long: then it counts as away. */
  readonly lateMs: number;
}

/** The embedded database may be busy for seconds with one statement, and is not away for that. */
const TIMES: ReadinessTimes = { freshMs: 1000, waitMs: 1000, lateMs: 10_000 };

export class Readiness {
  readonly #dependencies: readonly Dependency[];
  #leaving: DependencyState | undefined;

  constructor(probes: readonly Probe[], times: Partial<ReadinessTimes> = {}) {
    const names = [...new Set(probes.map(({ name }) => name))];
    this.#dependencies = names.map((name) => {
      const own = new Set(probes.filter((probe) => probe.name === name));
      return new Dependency(name, [...own], { ...TIMES, ...times });
    });
  }

  /** From now on the process is not ready, whatever it depends on: who spreads the load sends it elsewhere. */
  leave(): void {
    const since = new Date().toISOString();
    this.#leaving ??= { ok: false, detail: 'it has been told to stop', since, required: true };
  }

  /** Asks all of them at the same time; takes little longer than `waitMs`. */
  async report(): Promise<ReadinessReport> {
    const entries = await Promise.all(
      this.#dependencies.map(async (dependency) => [dependency.name, await dependency.state()] as const),
    );
    if (this.#leaving !== undefined) entries.push(['process', this.#leaving]);
    const failed = entries.map(([, state]) => state).filter(({ ok }) => !ok);
    const status = failed.some(({ required }) => required) ? 'not_ready' : failed.length > 0 ? 'degraded' : 'ready';
    return { status, checks: Object.fromEntries(entries) };
  }
}

class Dependency {
  readonly name: string;
  readonly #probes: readonly Probe[];
  readonly #times: ReadinessTimes;
  readonly #required: boolean;
  #state: DependencyState | undefined;
  #looking: Promise<void> | undefined;
  #startedMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, probes: readonly Probe[], times: ReadinessTimes) {
    this.name = name;
    this.#probes = probes;
    this.#times = times;
    this.#required = probes.some(({ isRequired }) => isRequired);
  }

  async state(): Promise<DependencyState> {
    if (this.#looking === undefined && performance.now() - this.#lookedMs >= this.#times.freshMs) this.#begin();
    if (this.#looking !== undefined) await this.#waitALittle(this.#looking);
    return this.#state ?? this.#note({ ok: false, detail: 'has not answered yet' });
  }

  #begin(): void {
    this.#startedMs = performance.now();
    this.#looking = this.#look().finally(() => {
      this.#lookedMs = performance.now();
      this.#looking = undefined;
    });
  }

  async #look(): Promise<void> {
    const found: Health[] = [];
    for (const probe of this.#probes) found.push(await lookWith(probe));
    const failed = found.find(({ ok }) => !ok);
    this.#note(failed ?? { ok: true, detail: found.map(({ detail }) => detail).join('; ') });
  }

  async #waitALittle(looking: Promise<void>): Promise<void> {
    if (await isDoneWithin(looking, this.#times.waitMs)) return;
    const silentMs = performance.now() - this.#startedMs;
    if (silentMs < this.#times.lateMs) return;
    this.#note({ ok: false, detail: `has not answered for ${Math.floor(silentMs / 1000)} s` });
  }

  #note({ ok, detail }: Health): DependencyState {
    const since = this.#state?.ok === ok ? this.#state.since : new Date().toISOString();
    this.#state = { ok, detail, since, required: this.#required };
    return this.#state;
  }
}

async function lookWith(probe: Probe): Promise<Health> {
  try {
    return await probe.look();
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { ok: false, detail: error.message };
  }
}
