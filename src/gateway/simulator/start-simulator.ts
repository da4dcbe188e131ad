/**
 * The simulated fleet as a sender: history first, as fast as the API takes it, then live. It keeps no backlog: a
 * record is a function of well and time, so "not sent yet" is a point in time, and memory is the same whether the
 * API was away for a second or for an hour. What was missed meanwhile is sent afterwards, like from a gateway's spool.
 */
import type { Events } from '../../monitoring/events.js';
import { pause } from '../../telemetry/backoff.js';
import { MICROS_PER_DAY } from '../../telemetry/timestamp.js';
import type { ServiceAccess } from '../service-client.js';
import { FAULT_SHARES } from './faults/fault-plan.js';
import { createFleet, type SimulatedRecord } from './fleet.js';
import { NdjsonEncoder } from './ndjson-encoder.js';
import { createSchedule, type Schedule } from './schedule.js';
import { TelemetryClient } from './telemetry-client.js';

export interface SimulatorOptions {
  readonly service: ServiceAccess;
  readonly wells: number;
  /** Seconds between the records of a well. */
  readonly intervalSeconds: number;
  readonly seed: number;
  /** Whether its wells fail. */
  readonly faults: keyof typeof FAULT_SHARES;
  /** History to send before going live; 0 = none. */
  readonly backfillDays: number;
  readonly backfillIntervalSeconds: number;
  readonly events: Events;
}

export interface Simulator {
  /** Resolves once the history has been taken (at once when there is none), or the simulator was stopped. */
  readonly backfilled: Promise<void>;
  /** Finishes the request under way and sends no more. */
  stop(): Promise<void>;
}

const BATCH_RECORDS = 1000;
/** Records that make a live request worth while; a small fleet waits no longer for them than MOST_TICK_MS. */
const TICK_RECORDS = 500;
const LEAST_TICK_MS = 50;
const MOST_TICK_MS = 1000;

/** Starts to send. Trouble with the API is reported by events and waited out, never thrown. */
export function startSimulator(options: SimulatorOptions): Simulator {
  const stopping = new AbortController();
  const sender = new FleetSender(options, stopping.signal);
  const backfilled = sender.sendHistory();
  const finished = backfilled.then((fromUs) => sender.sendLive(fromUs));
  options.events.emit('simulator_started', { wells: options.wells, intervalSeconds: options.intervalSeconds });
  return {
    backfilled: backfilled.then(() => undefined),
    async stop() {
      stopping.abort();
      await finished;
      sender.close();
    },
  };
}

const nowUs = (): number => Date.now() * 1000;

class FleetSender {
  readonly #options: SimulatorOptions;
  readonly #stopping: AbortSignal;
  readonly #client: TelemetryClient;
  readonly #encoder = new NdjsonEncoder(BATCH_RECORDS);
  readonly #fleet: ReturnType<typeof createFleet>;

  constructor(options: SimulatorOptions, stopping: AbortSignal) {
    this.#options = options;
    this.#stopping = stopping;
    this.#client = new TelemetryClient(options.service, options.events, stopping);
    this.#fleet = createFleet({ ...options, faultShare: FAULT_SHARES[options.faults] });
  }

  /** Sends the back-dated part until it has caught up with the clock; resolves to where live begins. */
  async sendHistory(): Promise<number> {
    const { wells, backfillDays, backfillIntervalSeconds } = this.#options;
    if (backfillDays <= 0) return nowUs();
    const schedule = createSchedule(wells, backfillIntervalSeconds);
    let fromUs = nowUs() - backfillDays * MICROS_PER_DAY;
    // While it is sent, time goes on: what has become history meanwhile is sent in the same way.
    for (let toUs = nowUs(); fromUs + schedule.intervalUs <= toUs && !this.#stopping.aborted; toUs = nowUs()) {
      await this.#send(schedule, fromUs, toUs);
      fromUs = toUs;
    }
    return fromUs;
  }

  /** Sends each record when its time has come, until stopped. */
  async sendLive(liveFromUs: number): Promise<void> {
    const { wells, intervalSeconds } = this.#options;
    const schedule = createSchedule(wells, intervalSeconds);
    const tickMs = Math.min(MOST_TICK_MS, Math.max(LEAST_TICK_MS, (intervalSeconds * 1000 * TICK_RECORDS) / wells));
    let fromUs = liveFromUs;
    while (!this.#stopping.aborted) {
      // Ticks are points on a grid, not pauses between sends: a slow answer delays one of them and moves none.
      const tickUs = Math.max(nowUs(), (Math.floor(fromUs / 1000 / tickMs) + 1) * tickMs * 1000);
      await pause(Math.ceil((tickUs - nowUs()) / 1000), this.#stopping);
      const toUs = nowUs();
      if (toUs <= fromUs) continue; // the clock was set back: wait until it has caught up
      await this.#send(schedule, fromUs, toUs);
      fromUs = toUs;
    }
  }

  /** Sends what is due with from ≤ time < to, batch by batch. */
  async #send(schedule: Schedule, fromUs: number, toUs: number): Promise<void> {
    for (const record of this.#fleet.history(schedule, fromUs, toUs)) {
      if (this.#add(record) && !(await this.#flush())) return;
    }
    await this.#flush();
  }

  close(): void {
    this.#client.close();
  }

  /** @returns whether the batch is full */
  #add(record: SimulatedRecord): boolean {
    this.#encoder.add(record);
    return this.#encoder.length === this.#encoder.capacity;
  }

  /** @returns false when stopped */
  async #flush(): Promise<boolean> {
    if (this.#encoder.length === 0) return !this.#stopping.aborted;
    const sent = await this.#client.send(this.#encoder.body(), this.#encoder.length);
    this.#encoder.clear();
    return sent;
  }
}
