/** Request bodies into memory: bounded each, bounded in sum, decompressed no further than the bound. */
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { OperationalError } from '../telemetry/operational-error.js';
import { HttpError } from './http-error.js';

/** The memory that bodies of unfinished requests may take together. */
export class BodyBudget {
  readonly maxBytes: number;
  #heldBytes = 0;
  readonly #heldBy = new WeakMap<IncomingMessage, number>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Accounts for bytes of a request, or returns `overloaded` (retryable) when they would go beyond the bound. */
  take(request: IncomingMessage, bytes: number): OperationalError | undefined {
    if (this.#heldBytes + bytes > this.maxBytes)
      return new OperationalError('overloaded', 'too many requests are being read at a time; send this one again', {
        retryable: true,
      });
    this.#heldBytes += bytes;
    this.#heldBy.set(request, (this.#heldBy.get(request) ?? 0) + bytes);
    return undefined;
  }

  /** Gives back what a request holds; the server calls it when the response is closed. */
  release(request: IncomingMessage): void {
    this.#heldBytes -= this.#heldBy.get(request) ?? 0;
    this.#heldBy.delete(request);
  }
}

const tooLarge = (limit: number, when: string): HttpError =>
  new HttpError(413, 'too_large', `the body has more than ${limit} bytes${when}; send fewer records per request`);

/**
 * Reads the body of a request, `Content-Encoding: gzip` undone.
 * @throws HttpError 413 beyond `limit`, 415 for other encodings, 400 for broken gzip; OperationalError `overloaded`
 */
export async function readRequestBody(request: IncomingMessage, limit: number, budget: BodyBudget): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    request.resume();
    const message = 'the content encoding is not taken; send Content-Encoding: gzip or none';
    throw new HttpError(415, 'unsupported_encoding', message);
  }
  const received = await receive(request, limit, budget);
  return encoding === 'gzip' ? inflate(received, request, limit, budget) : received;
}

/** What a refused sender may still send before the connection is closed under it, as a multiple of the limit. */
const DRAINED_LIMITS = 16;

/**
 * The bytes as they come. After a refusal the rest is read and dropped before it is answered, within reason: a sender
 * that is still writing when the connection closes may never see the answer. (Hence no `for await`: leaving such a
 * loop destroys the socket.)
 */
function receive(request: IncomingMessage, limit: number, budget: BodyBudget): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let refusal: Error | undefined;
    const refuse = (error: Error): void => {
      refusal = error;
      chunks.length = 0;
      budget.release(request);
    };
    const announced = Number(request.headers['content-length']);
    if (announced > limit) refuse(tooLarge(limit, ''));
    if (announced > limit * DRAINED_LIMITS) return reject(tooLarge(limit, ''));

    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (refusal === undefined && length > limit) refuse(tooLarge(limit, ''));
      if (refusal === undefined) {
        const overload = budget.take(request, chunk.length);
        if (overload === undefined) chunks.push(chunk);
        else refuse(overload);
      } else if (length > limit * DRAINED_LIMITS) reject(refusal);
    });
    request.on('end', () => (refusal === undefined ? resolve(join(chunks, length)) : reject(refusal)));
    request.on('error', () => reject(new HttpError(400, 'incomplete_body', 'the connection was lost; send it again')));
  });
}

/**
 * Reads the body of a request that is refused unread, and drops it: a sender that is still writing when the connection
 * closes may never see why. Goes on with `then` at its end, or after `limit` bytes, which is more than anybody should send.
 */
export function dropBody(request: IncomingMessage, limit: number, then: () => void): void {
  const { headers } = request;
  const announced = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : 0;
  if (request.complete || announced > limit) return then();
  let length = 0;
  let isOver = false;
  const end = (): void => {
    if (!isOver) then();
    isOver = true;
  };
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limit) end();
  });
  // Whether all of it has come or the connection is lost: whoever answers finds that out by itself.
  for (const event of ['end', 'error', 'close']) request.once(event, end);
}

const join = (chunks: readonly Buffer[], length: number): Buffer =>
  chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);

const INFLATE_CHUNK_BYTES = 65_536;

async function inflate(
  compressed: Buffer,
  request: IncomingMessage,
  limit: number,
  budget: BodyBudget,
): Promise<Buffer> {
  const gunzip = createGunzip({ chunkSize: INFLATE_CHUNK_BYTES });
  gunzip.end(compressed);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Leaving the loop destroys the stream: a bomb is inflated to the bound and no further.
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw tooLarge(limit, ' when decompressed');
      const overload = budget.take(request, chunk.length);
      if (overload !== undefined) throw overload;
      chunks.push(chunk);
    }
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_'))
      throw new HttpError(400, 'malformed_gzip', 'the body is not gzip as Content-Encoding says; compress it again');
    throw error;
  }
  return join(chunks, length);
}
