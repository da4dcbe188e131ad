/** Senders that post records, each with a number of its own, for as long as somebody answers. */
import { setTimeout as sleep } from 'node:timers/promises';

const SENDERS = 3;
const RECORDS_PER_REQUEST = 20;
/** A load, and no benchmark: others work on this machine, too. */
const PAUSE_MS = 20;
const DEVICES = 7;

export interface RoleLoad {
  /** The numbers of the records that were answered with 202: seconds after the beginning of 2026. */
  readonly acknowledged: ReadonlySet<number>;
  /** Resolves to the status codes there were, when nobody answers any more. */
  readonly finished: Promise<ReadonlySet<number>>;
}

export function startRoleLoad(url: string): RoleLoad {
  const acknowledged = new Set<number>();
  const statuses = new Set<number>();
  let last = 0;
  const send = async (): Promise<void> => {
    for (;;) {
      const numbers = Array.from({ length: RECORDS_PER_REQUEST }, () => ++last);
      const status = await post(`${url}/v1/telemetry`, numbers.map(recordOf));
      if (status === undefined) return;
      statuses.add(status);
      if (status === 202) for (const number of numbers) acknowledged.add(number);
      await sleep(PAUSE_MS);
    }
  };
  const finished = Promise.all(Array.from({ length: SENDERS }, send)).then(() => statuses);
  return { acknowledged, finished };
}

const recordOf = (number: number): object => ({
  device_id: `esp-${number % DEVICES}`,
  timestamp: new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString(),
  temperature: 60 + (number % 50),
});

/** The status; undefined when there was no answer. */
async function post(url: string, body: unknown): Promise<number | undefined> {
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    if (error instanceof TypeError) return undefined; // it has stopped
    throw error;
  }
}
