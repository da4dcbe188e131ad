import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RabbitmqAccounts, type SentMessage } from '../../src/queue/rabbitmq-accounts.js';

interface Books {
  readonly accounts: RabbitmqAccounts;
  recovered: number;
  handedOver: number;
}

function openBooks(): Books {
  const books: Books = {
    accounts: new RabbitmqAccounts({
      recovered: (records) => (books.recovered += records),
      handedOver: (records) => (books.handedOver += records),
    }),
    recovered: 0,
    handedOver: 0,
  };
  return books;
}

const sizeOf = (records: number) => ({ records, bytes: records * 100 });

function send(accounts: RabbitmqAccounts, records: number): SentMessage {
  return { messageId: accounts.nextMessageId(), size: sizeOf(records) };
}

function publish(accounts: RabbitmqAccounts, records: number): SentMessage {
  const message = send(accounts, records);
  accounts.published(message);
  return message;
}

describe('the accounts of a queue on a broker', () => {
  it('recover what others have published, and nothing that was published here', () => {
    const { accounts, ...books } = openBooks();
    const own = publish(accounts, 10);
    accounts.delivered(own.messageId, own.size);
    accounts.delivered('other:1', sizeOf(3));
    accounts.delivered(undefined, { records: null, bytes: 5 });
    expect(accounts.depth()).toEqual({ messages: 3, records: 14, bytes: 1305 });
    expect(books).toEqual({ recovered: 0, handedOver: 0 });
  });

  it('hand over what another process consumes, and recover what comes back from it', () => {
    const books = openBooks();
    const { accounts } = books;
    const messages = [1, 2, 3, 4].map((records) => publish(accounts, records));
    accounts.observed(4, 0, true);
    accounts.observed(0, 0, true); // and nothing was delivered here meanwhile
    expect([books.handedOver, accounts.depth().records]).toEqual([10, 0]);
    for (const { messageId, size } of messages) accounts.delivered(messageId, size);
    expect([books.recovered, accounts.depth().records]).toEqual([10, 10]);
  });

  it('take an answer of the broker about the past for what it is', () => {
    const books = openBooks();
    const { accounts } = books;
    accounts.observed(0, 0, true);
    const message = publish(accounts, 5);
    accounts.observed(0, 0, true); // asked before it was published, or it is on its way here
    expect(books.handedOver).toBe(0);
    accounts.delivered(message.messageId, message.size);
    accounts.observed(0, 0, true);
    expect([books.recovered, books.handedOver]).toEqual([0, 0]);
  });

  it('know a message again that is delivered before its publication has succeeded, or failed', () => {
    const books = openBooks();
    const { accounts } = books;
    const [good, bad] = [send(accounts, 2), send(accounts, 3)];
    for (const { messageId, size } of [good, bad]) accounts.delivered(messageId, size);
    accounts.published(good);
    accounts.abandoned(bad);
    expect([books.recovered, accounts.depth().records]).toEqual([3, 5]);
  });

  it('balance whatever happens: published + recovered = settled + handed over + depth', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), records: fc.integer({ min: 0, max: 50 }) }),
      fc.record({
        kind: fc.constantFrom('publish', 'abandon', 'deliver', 'settle', 'return', 'foreign'),
        at: fc.nat(),
      }),
      fc.record({ kind: fc.constant('observe' as const), ready: fc.nat({ max: 20 }), consuming: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const books = openBooks();
        const { accounts } = books;
        const sent: SentMessage[] = [];
        const ended = new Set<SentMessage>();
        const early = new Set<SentMessage>();
        let inHand: { records: number; bytes: number }[] = [];
        let [published, settled] = [0, 0];
        for (const action of steps) {
          if (action.kind === 'send') sent.push(send(accounts, action.records));
          else if (action.kind === 'observe')
            accounts.observed(action.ready, sent.length - ended.size, action.consuming);
          else if (action.kind === 'foreign') {
            accounts.delivered(`other:${action.at}`, sizeOf(action.at % 7));
            inHand.push(sizeOf(action.at % 7));
          } else if (action.kind === 'settle' || action.kind === 'return') {
            const some = inHand.slice(0, action.at % (inHand.length + 1));
            inHand = inHand.slice(some.length);
            for (const size of some) {
              if (action.kind === 'return') accounts.returned(size);
              else {
                accounts.settled(size);
                settled += size.records;
              }
            }
          } else if (sent.length > 0) {
            const message = sent[action.at % sent.length] as SentMessage;
            const records = message.size.records as number;
            if (action.kind === 'deliver') {
              if (!ended.has(message)) early.add(message);
              accounts.delivered(message.messageId, message.size);
              inHand.push(sizeOf(records));
            } else if (!ended.has(message)) {
              ended.add(message);
              early.delete(message);
              if (action.kind === 'publish') published += records;
              accounts[action.kind === 'publish' ? 'published' : 'abandoned'](message);
            }
          }
          const depth = accounts.depth();
          // What is delivered before its publisher knows that it was published is not in its books yet.
          const ahead = [...early].reduce((sum, { size }) => sum + (size.records as number), 0);
          expect(published + ahead + books.recovered).toBe(settled + books.handedOver + depth.records);
          expect(Math.min(depth.messages, depth.records, depth.bytes)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
