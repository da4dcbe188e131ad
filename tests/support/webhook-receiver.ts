/** A receiver of webhooks that answers in every way one can. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WebhookBody } from '../../src/alerts/webhook-body.js';

export interface ReceivedPost {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebhookReceiver {
  /** With a secret in it, as those of chat systems have. */
  readonly url: string;
  readonly received: readonly ReceivedPost[];
  bodies(): WebhookBody[];
  close(): void;
}

/** Answers with these, one after another, the last one for ever; `hang` never answers. */
export async function startReceiver(...answers: (number | 'hang')[]): Promise<WebhookReceiver> {
  const received: ReceivedPost[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const answer = answers[Math.min(received.length, answers.length - 1)] as number | 'hang';
      received.push({ headers: request.headers, body });
      if (answer !== 'hang') response.writeHead(answer, answer === 302 ? { location: '/elsewhere' } : {}).end('noted');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=geheim`,
    received,
    bodies: () => received.map(({ body }) => JSON.parse(body) as WebhookBody),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
