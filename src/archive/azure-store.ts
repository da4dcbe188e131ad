/**
 * The archive as a container of Azure Blob Storage. An object is a block blob: its blocks count once the list of them is
 * committed, and the service forgets uncommitted ones after a week.
 */
import { randomUUID } from 'node:crypto';
import type { BlockBlobClient, ContainerClient, StoragePipelineOptions } from '@azure/storage-blob';
import { OperationalError } from '../telemetry/operational-error.js';
import { checkObjectName, objectExists, objectMissing, type ObjectStore, type StoredObject } from './object-store.js';

export interface AzureStoreOptions {
  /** `https://ACCOUNT.blob.core.windows.net/CONTAINER`; of an emulator `http://HOST:PORT/ACCOUNT/CONTAINER`. */
  readonly url: string;
  /** Empty: the identity of this machine or user (DefaultAzureCredential). */
  readonly connectionString: string;
  /** Tries of a request; default 5. */
  readonly maxTries?: number;
  /** Before the second try, doubled for each further one; default half a second. */
  readonly retryDelayMs?: number;
}

/** Held in memory while it is filled and sent; 50 000 of them are the most of a blob, 400 GB. */
const BLOCK_BYTES = 8 * 1024 * 1024;
/** A request that takes longer is given up and tried again: a block is 8 MiB. */
const TRY_TIMEOUT_MS = 60_000;
/** Whose upload a blob is: a commit whose answer got lost is found to have happened. */
const UPLOAD_KEY = 'upload';

export class AzureStore implements ObjectStore {
  readonly address: string;
  readonly #container: ContainerClient;
  #isThere: Promise<unknown> | undefined;

  private constructor(container: ContainerClient) {
    this.#container = container;
    this.address = container.url.replace(/\?.*$/, '');
  }

  /** Connects to nothing yet. @throws OperationalError `invalid_configuration` */
  static async open({ url, connectionString, ...retry }: AzureStoreOptions): Promise<AzureStore> {
    const {
      BlobServiceClient,
      ContainerClient: Container,
      StorageRetryPolicyType,
    } = await import('@azure/storage-blob');
    const options: StoragePipelineOptions = {
      retryOptions: {
        retryPolicyType: StorageRetryPolicyType.EXPONENTIAL,
        maxTries: retry.maxTries ?? 5,
        retryDelayInMs: retry.retryDelayMs ?? 500,
        maxRetryDelayInMs: 20_000,
        tryTimeoutInMs: TRY_TIMEOUT_MS,
      },
    };
    if (connectionString === '') {
      const { DefaultAzureCredential } = await import('@azure/identity');
      return new AzureStore(new Container(url, new DefaultAzureCredential(), options));
    }
    const name = new URL(url).pathname.split('/').at(-1) ?? '';
    let container: ContainerClient;
    try {
      container = BlobServiceClient.fromConnectionString(connectionString, options).getContainerClient(name);
    } catch (error) {
      // Its message may have the text in it, which is a secret.
      throw wrongConnectionString('is not one that Azure gives', error);
    }
    if (container.url.replace(/\?.*$/, '') !== url.replace(/\/$/, '')) {
      throw wrongConnectionString(`is of another account than archive.url (${url})`);
    }
    return new AzureStore(container);
  }

  put(name: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredObject> {
    checkObjectName(name);
    return this.#attempt(name, async () => {
      await this.#makeContainer();
      const blob = this.#container.getBlockBlobClient(name);
      const upload = randomUUID();
      const blockIds: string[] = [];
      let bytes = 0;
      for await (const block of blocksOf(content)) {
        const id = Buffer.from(`${upload}-${String(blockIds.length).padStart(6, '0')}`).toString('base64');
        await blob.stageBlock(id, block, block.length);
        blockIds.push(id);
        bytes += block.length;
      }
      await this.#commit(blob, name, blockIds, upload);
      return { name, bytes };
    });
  }

  read(name: string, from: number, length: number): Promise<Uint8Array> {
    checkObjectName(name);
    return this.#attempt(name, async () => {
      // Where the connection breaks it is asked for again from there on.
      const answer = await this.#container.getBlobClient(name).download(from, length, { maxRetryRequests: 5 });
      const pieces: Buffer[] = [];
      for await (const piece of answer.readableStreamBody ?? []) pieces.push(Buffer.from(piece));
      return Buffer.concat(pieces);
    }).catch((error: unknown) => {
      // 416: it ends before.
      if (error instanceof OperationalError && failureOf(error.cause).status === 416) return new Uint8Array(0);
      throw error;
    });
  }

  async head(name: string): Promise<StoredObject | undefined> {
    checkObjectName(name);
    try {
      const found = await this.#attempt(name, () => this.#container.getBlobClient(name).getProperties());
      return { name, bytes: found.contentLength ?? 0 };
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'archive_object_missing') return undefined;
      throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const blobs = this.#container.listBlobsFlat({ prefix });
    for (;;) {
      const next = await this.#attempt(prefix, () => blobs.next(), { done: true, value: undefined } as const);
      if (next.done === true) return;
      yield { name: next.value.name, bytes: next.value.properties.contentLength ?? 0 };
    }
  }

  /** Who may write into a container need not have the right to make it: only where it is missing. */
  async #makeContainer(): Promise<void> {
    this.#isThere ??= (async () => {
      if (!(await this.#container.exists())) await this.#container.createIfNotExists();
    })();
    try {
      await this.#isThere;
    } catch (error) {
      this.#isThere = undefined;
      throw error;
    }
  }

  async #commit(blob: BlockBlobClient, name: string, blockIds: string[], upload: string): Promise<void> {
    try {
      await blob.commitBlockList(blockIds, { conditions: { ifNoneMatch: '*' }, metadata: { [UPLOAD_KEY]: upload } });
    } catch (error) {
      const { status } = failureOf(error);
      // 400: somebody else has committed other blocks meanwhile, which discards ours.
      if (status !== 409 && status !== 412 && status !== 400) throw error;
      const found = await blob.getProperties().catch((reason: unknown) => {
        if (failureOf(reason).status === 404) throw error;
        throw reason;
      });
      if (found.metadata?.[UPLOAD_KEY] !== upload) throw objectExists(this, name, error);
    }
  }

  async #attempt<T, M = T>(name: string, work: () => Promise<T>, whenNoContainer?: M): Promise<T | M> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof OperationalError || !(error instanceof Error)) throw error;
      const { status, code } = failureOf(error);
      if (code === 'ContainerNotFound' && whenNoContainer !== undefined) return whenNoContainer;
      if (status === 404) throw objectMissing(this, name, error);
      if (status === 409 || status === 412) throw objectExists(this, name, error);
      const isRefused = status === 401 || status === 403 || error.name === 'CredentialUnavailableError';
      if (isRefused || error.name === 'AuthenticationRequiredError' || error.name === 'AggregateAuthenticationError') {
        throw refused(this.address, error);
      }
      if (status === undefined && code === undefined && error.name !== 'AbortError') throw error;
      throw new OperationalError(
        'archive_unavailable',
        `The archive at ${this.address} does not answer (${status ?? code ?? error.name}). It is tried again; look at the network and at Azure.`,
        { retryable: true, cause: error },
      );
    }
  }
}

/** The content cut into blocks, each in a buffer of its own: a request that is tried again still needs it. */
async function* blocksOf(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    for (let from = 0; from < chunk.length;) {
      const piece = chunk.subarray(from, from + BLOCK_BYTES - size);
      pieces.push(Uint8Array.from(piece));
      size += piece.length;
      from += piece.length;
      if (size < BLOCK_BYTES) continue;
      yield Buffer.concat(pieces);
      pieces = [];
      size = 0;
    }
  }
  if (size > 0) yield Buffer.concat(pieces);
}

/** HTTP status and code of a failed request, as far as there are any. */
function failureOf(error: unknown): { status: number | undefined; code: string | undefined } {
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  return {
    status: typeof statusCode === 'number' ? statusCode : undefined,
    code: typeof code === 'string' ? code : undefined,
  };
}

const refused = (address: string, cause: unknown): OperationalError =>
  new OperationalError(
    'archive_refused',
    `The archive at ${address} refuses this program. Give its identity the role Storage Blob Data Contributor, or set archive.connectionString.`,
    { cause },
  );

const wrongConnectionString = (reason: string, cause?: unknown): OperationalError =>
  new OperationalError('invalid_configuration', `archive.connectionString ${reason}; give that of the account.`, {
    cause,
  });
