/** A pipeline in a process of its own, which a test may kill. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./pipeline-to-kill.mjs', import.meta.url));

/** What the process knows about itself. */
export interface ProcessReport {
  /** received + recovered, and what became of them, those in flight included. */
  readonly came: number;
  readonly went: number;
  readonly outcomes: Readonly<Record<'stored' | 'merged' | 'duplicate' | 'dead_lettered', number>>;
  /** Messages in both queues. */
  readonly waiting: number;
  readonly retries: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
}

export interface PipelineProcess {
  readonly pid: number;
  /** Publishes each array of records as a message, blown up with blanks to `padBytes`; resolves once all are durable. */
  publish(messages: readonly (readonly unknown[])[], padBytes?: number): Promise<void>;
  look(): Promise<ProcessReport>;
  /** Waits until the queues are empty and the books balance, and returns them. */
  drained(): Promise<ProcessReport>;
  /** SIGKILL: nothing is finished. */
  kill(): Promise<void>;
  /** As an operator would. */
  stop(): Promise<void>;
}

/** @param settings configuration keys, `database.url` (a migrated database) and `dataDir` among them */
export async function startPipelineProcess(settings: Record<string, unknown>): Promise<PipelineProcess> {
  const child = fork(PROGRAM, [JSON.stringify({ 'pipeline.batchIntervalMs': 20, ...settings })], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the pipeline process ended before it was ready')));
    child.on('message', (message: { ready?: true; id?: number; answer?: unknown; failure?: { message: string } }) => {
      if (message.ready === true) return resolve();
      const caller = waiting.get(message.id as number);
      waiting.delete(message.id as number);
      if (message.failure === undefined) caller?.resolve(message.answer);
      else caller?.reject(Object.assign(new Error(message.failure.message), message.failure));
    });
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the pipeline process has ended'));
  });
  const call = (command: string, parameters: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      child.send({ id, command, parameters });
    });
  const look = async (): Promise<ProcessReport> => (await call('look')) as ProcessReport;
  return {
    pid: child.pid as number,
    async publish(messages, padBytes = 0) {
      const bodies = messages.map((records) => ({ text: JSON.stringify(records), records: records.length }));
      await call('publish', { bodies, padBytes });
    },
    look,
    async drained() {
      for (;;) {
        const report = await look();
        if (report.waiting === 0 && report.came === report.went) return report;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      await call('stop');
      await exited;
    },
  };
}
