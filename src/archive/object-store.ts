/**
 * Where the archive lies, as the rest of the program sees it: objects under names, written once and never changed. Two
 * implementations, one contract suite (tests/contracts/object-store.ts): a directory, and a container of Azure Blob.
 *
 * - An object is there as a whole or not at all. What a killed `put` leaves behind is seen by nobody.
 * - `put` never overwrites: of two that race for a name, one is refused with `archive_object_exists`.
 * - Memory is bounded: a `put` holds one block of 8 MiB, a `get` one piece of 4 MiB, whatever the size of the object.
 * - Transient failures are tried again inside, a few times. What comes out is an OperationalError; `retryable` says
 *   whether the same call may succeed later: `archive_unavailable` (network, server, disk), `archive_refused` (rights),
 *   `archive_object_missing`, `archive_object_exists`.
 */
import { OperationalError } from '../telemetry/operational-error.js';

export interface StoredObject {
  readonly name: string;
  readonly bytes: number;
}

export interface ObjectStore {
  /** For messages: where it is, without secrets. */
  readonly address: string;
  /** Stores a new object, durably once the promise resolves. The chunks may be of any size. */
  put(name: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredObject>;
  /**
   * Bytes `from` … `from + length` of an object, fewer at its end.
   * @throws OperationalError `archive_object_missing`
   */
  read(name: string, from: number, length: number): Promise<Uint8Array>;
  /** What there is under this name, undefined where there is nothing. */
  head(name: string): Promise<StoredObject | undefined>;
  /** All objects whose name begins with `prefix`, by name; '' for all. */
  list(prefix: string): AsyncIterable<StoredObject>;
}

/** Bytes a `get` reads at a time. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** The whole of an object, piece by piece. @throws OperationalError `archive_object_missing` */
export async function* readObject(store: ObjectStore, name: string): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const piece = await store.read(name, position, PIECE_BYTES);
    if (piece.length > 0) yield piece;
    position += piece.length;
    if (piece.length < PIECE_BYTES) return;
  }
}

const LONGEST_NAME = 500;
/** Parts joined by `/`, none of which begins with a dot or is empty: no way out of the root, nothing hidden. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._=-]*(\/[A-Za-z0-9_][A-Za-z0-9._=-]*)*$/;

/** Refuses a name that some store could take for something else. Names are made by the program: a plain Error. */
export function checkObjectName(name: string): void {
  if (name.length > LONGEST_NAME || !NAME.test(name)) throw new Error(`"${name}" cannot be the name of an object.`);
}

export const objectExists = (store: ObjectStore, name: string, cause?: unknown): OperationalError =>
  new OperationalError(
    'archive_object_exists',
    `The archive at ${store.address} has an object ${name} already, and objects are never overwritten.`,
    { cause },
  );

export const objectMissing = (store: ObjectStore, name: string, cause?: unknown): OperationalError =>
  new OperationalError(
    'archive_object_missing',
    `The archive at ${store.address} has no object ${name}. Was it deleted, or does archive.url name another archive?`,
    { cause },
  );
