/** Sends a test alert through every channel, once each, and says what was answered. */
import { randomUUID } from 'node:crypto';
import { audit } from '../storage/audit-log.js';
import type { Database } from '../storage/database.js';
import type { TestAnswers } from './alert-schemas.js';
import type { AlertChannel } from './channel.js';
import { fingerprintOf } from './fingerprint.js';
import type { AlertMessage } from './message-outbox.js';

const TIMEOUT_MS = 20_000;

/** It is in the audit log and not among the alerts. It says of itself that it has passed, so that nobody has to close it. */
export async function testChannels(
  database: Database,
  channels: readonly AlertChannel[],
  actor: string,
): Promise<TestAnswers> {
  const message = testMessage(actor, Date.now() * 1000);
  const answers = await Promise.all(
    channels.map(async (channel) => {
      const failure = await channel.deliver(message, AbortSignal.timeout(TIMEOUT_MS));
      return { channel: channel.name, taken: failure === undefined, answer: failure?.reason ?? 'it was taken' };
    }),
  );
  await audit(database, {
    actor,
    action: 'alert.test',
    target: message.id,
    detail: Object.fromEntries(answers.map(({ channel, answer }) => [channel, answer])),
  });
  return { channels: answers };
}

function testMessage(actor: string, nowUs: number): AlertMessage {
  const labels = { actor };
  const alert = {
    fingerprint: fingerprintOf('test', labels),
    rule: 'test',
    severity: 'warning',
    labels,
    summary: 'This is a test of the alerts of Downhole. Nothing is wrong.',
    detail: {},
    raisedAtUs: nowUs,
    endedAtUs: nowUs,
  } as const;
  return { id: randomUUID(), groupKey: 'test', alerts: [alert], omitted: 0 };
}
