/**
 * From the queue into the database: decode, evaluate, write, acknowledge, in that order and never another.
 *
 * A batch is prepared while those before it are written. A batch is acknowledged after its commit, its dead letters
 * being durable before that. A transient failure holds the batch: it is tried again with backoff, and the queue's
 * prefetch bounds what waits behind it. Order per device is the order of the queue.
 */
import type { Events } from '../monitoring/events.js';
import type { Consumer, Delivery, MessageHeaders, Queue } from '../queue/queue.js';
import type { DeviceRegistry } from '../storage/device-registry.js';
import { NOTHING_WRITTEN, type TelemetrySink, type WriteResult } from '../storage/telemetry-sink.js';
import { pause } from '../telemetry/backoff.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import { BatchFormer, type ImportRequest, type ImportResult, type Work } from './batch-former.js';
import type { DeviceStates } from './device-states.js';
import type { DeviceTable } from './device-table.js';
import type { Evaluator } from './evaluator.js';
import { Holding } from './holding.js';
import type { LossLedger } from './loss-ledger.js';
import { fillBatchInSlices, refuseRows, type RefusedRecord } from './prepared-batch.js';
import { RatePacer } from './rate-pacer.js';
import { countCodes, countOutcomes, countUncounted, deadLettersOf } from './settlement.js';
import { StateCheckpoints } from './state-checkpoints.js';

export interface PipelineOptions {
  readonly batchRecords: number;
  readonly batchIntervalMs: number;
  readonly maxBatchRecords: number;
  readonly checkpointIntervalMs: number;
  /** Most records read from the queue in a second; 0: no limit. */
  readonly maxRecordsPerSecond: number;
}

export interface PipelineParts {
  readonly queue: Queue;
  /** Where dead letters are published. */
  readonly failed: Queue;
  readonly sink: TelemetrySink;
  readonly registry: DeviceRegistry;
  readonly devices: DeviceTable;
  readonly states: DeviceStates;
  readonly evaluator: Evaluator;
  readonly ledger: LossLedger;
  readonly events: Events;
  readonly options: PipelineOptions;
  /** Epoch microseconds. */
  readonly nowUs: () => number;
}

/** What became of a batch, and how long its writing took. */
type Written = WriteResult & { readonly seconds: number };

interface Prepared {
  readonly work: Work;
  /** The clock when it was read, epoch microseconds. */
  readonly nowUs: number;
  readonly batch: ReadingBatch;
  /** What could not be read. */
  readonly refused: readonly RefusedRecord[];
  readonly anomalies: number;
}

/** Unacknowledged messages and bytes in the pipeline's hands: the memory that a backlog may take. */
const PREFETCH_MESSAGES = 20_000;
/** So that the next batch is there while one is written, also of messages of one record. */
const MAX_BATCH_MESSAGES = PREFETCH_MESSAGES / 4;
const PREFETCH_BYTES = 32 * 1024 * 1024;
/** Beside the batches being written: one being prepared, one being settled. */
const SPARE_BATCHES = 2;
/** How often last values are written, at most; and at most this share of the time goes into it: 1 / FLUSH_REST. */
const HOUSEKEEPING_INTERVAL_MS = 1000;
const FLUSH_REST = 8;

export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #former: BatchFormer;
  readonly #stopping = new AbortController();
  readonly #holding: Holding;
  readonly #free: ReadingBatch[];
  readonly #pacer: RatePacer;
  readonly #checkpoints: StateCheckpoints;
  #consuming: Promise<Consumer> | undefined;
  #running: Promise<void> | undefined;
  /** Writes under way, and who waits for one to end. */
  #writes = 0;
  #writeEnded: (() => void) | undefined;
  /** One after the other, in the order of the batches: what follows a commit. */
  #settling: Promise<void> = Promise.resolve();
  #failure: unknown;
  /**
   * A batch of the queue was not settled and will not be. Acknowledging is cumulative: nothing behind it may be
   * acknowledged any more, or it would be lost.
   */
  #gaveUp = false;
  /** Batches evaluated and not yet committed: while there are any, device state is ahead of the stored rows. */
  #uncommitted = 0;
  #housekeeping: Promise<void> = Promise.resolve();
  #flushNotBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    const { options, states } = parts;
    this.#holding = new Holding(parts.events, this.#stopping.signal);
    this.#pacer = new RatePacer(options.maxRecordsPerSecond);
    const most = this.#pacer.mostAtOnce;
    this.#former = new BatchFormer({
      batchIntervalMs: options.batchIntervalMs,
      batchRecords: Math.min(options.batchRecords, most),
      maxBatchRecords: Math.min(options.maxBatchRecords, most),
      maxBatchMessages: MAX_BATCH_MESSAGES,
    });
    this.#checkpoints = new StateCheckpoints(states, options.checkpointIntervalMs);
    const batches = parts.sink.writesInFlight + SPARE_BATCHES;
    this.#free = Array.from({ length: batches }, () => new ReadingBatch(options.maxBatchRecords));
  }

  /** Begins to consume. The returned promise settles when the pipeline ends; it rejects on a programming error only. */
  async start(): Promise<{ finished: Promise<void> }> {
    this.#running = this.#run();
    this.#timer = setInterval(() => this.#keepHouse(), HOUSEKEEPING_INTERVAL_MS);
    this.#consuming = this.#parts.queue.consume(
      {
        prefetchMessages: PREFETCH_MESSAGES,
        prefetchBytes: PREFETCH_BYTES,
        onFull: () => this.#former.flush(),
        onTakenOver: () => this.#parts.states.mayBeBehind(),
      },
      (delivery: Delivery) => this.#former.add(delivery),
    );
    await this.#consuming;
    return { finished: this.#running };
  }

  /**
   * Processes a body at once, past the queue, and resolves when its records are committed: the lane of imports.
   * Whatever cannot be stored becomes a dead letter. Rejects with a retryable OperationalError when stopped before.
   */
  ingestNow(body: Uint8Array, headers: MessageHeaders): Promise<ImportResult> {
    return new Promise((resolve, rejectRequest) => {
      const taken = this.#former.addImport({ message: { body, headers }, resolve, reject: rejectRequest });
      if (!taken) rejectRequest(stoppedError());
    });
  }

  /** Finishes the batches under way, saves device state and leaves the rest in the queue. */
  async stop(): Promise<void> {
    this.#takeNoMore();
    this.#stopping.abort();
    clearInterval(this.#timer);
    try {
      await this.#running;
      await this.#housekeeping;
    } finally {
      await (await this.#consuming)?.stop();
    }
    await this.#checkpoints.finish();
    await this.#flush();
  }

  #takeNoMore(): void {
    for (const request of this.#former.close()) request.reject(stoppedError());
  }

  async #run(): Promise<void> {
    for (let work = await this.#former.next(); work !== undefined; work = await this.#former.next()) {
      if (this.#checkpoints.isDue) await this.#checkpoint();
      if (work.request === undefined) await this.#pace(work);
      const prepared = await this.#prepare(work);
      if (prepared === undefined) continue; // stopped, or an import that was told why not
      while (this.#writes >= this.#parts.sink.writesInFlight) await this.#anyWriteEnded();
      if (this.#gaveUp) {
        this.#checkpoints.abandon();
        work.request?.reject(stoppedError());
        continue;
      }
      this.#begin(prepared);
    }
    await this.#settling;
    if (this.#failure !== undefined) throw new Error('the pipeline broke down', { cause: this.#failure });
  }

  /** Writes a batch; what follows its commit comes after that of the batches before it. */
  #begin(prepared: Prepared): void {
    const { request } = prepared.work;
    const written = this.#write(prepared);
    written.catch(() => undefined); // it is waited for below, and may fail before that
    this.#settling = this.#guard(
      this.#settling.then(async () => {
        const result = await written;
        if (result !== undefined) await this.#settle(prepared, result);
      }),
      request,
    );
  }

  /** Waits where the queue is read faster than is allowed. Imports are their sender's to pace. */
  async #pace({ messages }: Work): Promise<void> {
    const records = messages.reduce((sum, message) => sum + (message.headers.records ?? 1), 0);
    const delayMs = this.#pacer.delayMs(records, performance.now());
    if (delayMs > 0) await pause(delayMs, this.#stopping.signal);
  }

  #anyWriteEnded(): Promise<void> {
    return new Promise((resolve) => (this.#writeEnded = resolve));
  }

  /** A programming error in what nobody awaits at once ends the pipeline here and now: `finished` rejects with it. */
  #guard(work: Promise<void>, request?: ImportRequest): Promise<void> {
    return work.catch((error: unknown) => {
      this.#failure ??= error;
      this.#gaveUp = true;
      request?.reject(stoppedError()); // nobody else would tell it, and the server waits for it when it closes
      this.#takeNoMore();
    });
  }

  /** What has to happen without a batch as well: last values become visible, an idle pipeline saves its state. */
  #keepHouse(): void {
    const nowMs = performance.now();
    if (nowMs < this.#flushNotBeforeMs) return;
    this.#flushNotBeforeMs = Number.POSITIVE_INFINITY;
    this.#housekeeping = this.#guard(this.#flushAndCheckpoint()).then(() => {
      const tookMs = performance.now() - nowMs;
      this.#flushNotBeforeMs = performance.now() + tookMs * (FLUSH_REST - 1);
    });
  }

  async #flushAndCheckpoint(): Promise<void> {
    await this.#flush();
    // Between two batches of a busy queue `#run` does it.
    if (this.#checkpoints.isDue && this.#uncommitted === 0) await this.#checkpoint();
  }

  #checkpoint(): Promise<void> {
    return this.#checkpoints.begin(this.#settling, (work) => this.#guard(work));
  }

  /** Last values that cannot be written now are kept, and reported: the rows themselves are safe. */
  async #flush(): Promise<void> {
    try {
      await this.#parts.registry.flush();
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#parts.events.emit('device_state_failed', { error });
    }
  }

  async #prepare(work: Work): Promise<Prepared | undefined> {
    const { devices, evaluator, states } = this.#parts;
    const nowUs = this.#parts.nowUs();
    const batch = this.#takeBatch();
    const refused = await fillBatchInSlices(work.messages, nowUs, batch, devices);
    evaluator.reserve();
    if (devices.unmet.size > 0 && (await this.#holding.until(work.request, () => this.#meet(batch))) === undefined) {
      this.#giveBack(batch);
      return undefined;
    }
    const anomalies = evaluator.evaluate(batch);
    this.#uncommitted++;
    states.markDirty(batch);
    return { work, nowUs, batch, refused, anomalies };
  }

  /** Loads profile and state of the devices that are new to this process, and registers those new to the database. */
  async #meet(batch: ReadingBatch): Promise<true> {
    const { devices, registry, states, evaluator, events } = this.#parts;
    const ids = [...devices.unmet];
    const profiles = await registry.meet(ids, batch);
    for (const [id, profile] of profiles) {
      evaluator.setProfile(devices.find(id), profile);
      for (const problem of profile.problems ?? []) events.emit('profile_ignored', { device: id, problem });
    }
    await states.load(ids); // which learns from stored rows as the profile says
    devices.unmet.clear();
    return true;
  }

  #takeBatch(): ReadingBatch {
    const batch = this.#free.pop() ?? new ReadingBatch(this.#parts.options.maxBatchRecords);
    batch.clear();
    return batch;
  }

  /** One that a large message has made grow is not kept. */
  #giveBack(batch: ReadingBatch): void {
    const { sink, options } = this.#parts;
    if (this.#free.length >= sink.writesInFlight + SPARE_BATCHES) return;
    if (batch.capacity === options.maxBatchRecords) this.#free.push(batch);
  }

  /** Writes a batch until it is committed; undefined when it was given up: at a stop, or an import that cannot succeed. */
  async #write(prepared: Prepared): Promise<Written | undefined> {
    const { work, batch } = prepared;
    const startedMs = performance.now();
    this.#writes++;
    try {
      const result =
        batch.length === 0
          ? NOTHING_WRITTEN
          : await this.#parts.sink.write(batch, (error, attempt) => this.#holding.again(work.request, error, attempt));
      this.#uncommitted--;
      return { ...result, seconds: (performance.now() - startedMs) / 1000 };
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      prepared.work.request?.reject(error);
      this.#notWritten(prepared);
      return undefined;
    } finally {
      this.#writes--;
      this.#writeEnded?.();
    }
  }

  /** Stopped, or an import that cannot succeed: its rows come again, from the queue or from who imports, to be judged anew. */
  #notWritten({ work, batch }: Prepared): void {
    if (work.request === undefined) this.#gaveUp = true;
    if (this.#stopping.signal.aborted) this.#checkpoints.abandon();
    else {
      this.#checkpoints.takeBack(batch);
      this.#uncommitted--;
    }
    this.#giveBack(batch);
  }

  /** What follows a commit, in the order of the commits: dead letters durable, then acknowledged, then counted. */
  async #settle({ work, nowUs, batch, refused, anomalies }: Prepared, written: Written): Promise<void> {
    const { registry, ledger, events } = this.#parts;
    if (this.#gaveUp && work.request === undefined) return; // its rows come again, as duplicates
    registry.written(batch, written);
    const letters = [...refused, ...refuseRows(work.messages, nowUs, batch, written.refused)];
    if (letters.length > 0) {
      const durable = await this.#holding.until(work.request, async () => {
        await this.#parts.failed.publish(deadLettersOf(letters, this.#parts.nowUs()));
        return true;
      });
      if (durable === undefined) {
        if (work.request === undefined) this.#gaveUp = true;
        this.#giveBack(batch);
        return;
      }
    }
    const lastTag = work.messages.at(-1)?.tag;
    if (lastTag !== undefined && (await this.#holding.until(undefined, () => this.#acknowledge(lastTag))) === undefined)
      return;
    const outcomes = countOutcomes(written, letters);
    if (work.request !== undefined) {
      const accepted = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
      events.emit('records_received', {
        accepted,
        rejected: 0,
        codes: {},
        source: work.request.message.headers.source,
      });
    } else {
      const records = countUncounted(work.messages, batch, refused);
      if (records > 0) events.emit('queue_recovered', { queue: 'telemetry', records });
    }
    const { seconds } = written;
    events.emit('batch_written', { outcomes, codes: countCodes(letters), anomalies, records: batch.length, seconds });
    ledger.settled(batch, written, refused);
    work.request?.resolve({ outcomes });
    this.#giveBack(batch);
  }

  async #acknowledge(tag: number): Promise<true> {
    const consumer = await (this.#consuming as Promise<Consumer>);
    await consumer.acknowledgeThrough(tag);
    return true;
  }
}

function stoppedError(): OperationalError {
  return new OperationalError('stopping', 'The service is stopping; send the records again when it is back.', {
    retryable: true,
  });
}
