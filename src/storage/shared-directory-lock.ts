/**
 * The lock of the data directory as the parts of one process share it: the embedded database, the embedded queue and
 * whatever else writes there each take a share when they open, and give it back when they are closed. A process that
 * opens nothing in the directory never locks it.
 */
import { OperationalError } from '../telemetry/operational-error.js';
import { acquireDirectoryLock, type DirectoryLock } from './directory-lock.js';

export interface SharedDirectoryLockOptions {
  /** Shown to whoever finds the directory taken: `up`, `import` … */
  readonly command: string;
  /** What else can be done when another process has it, as a sentence; '' where there is nothing. */
  readonly remedy?: string;
}

export class SharedDirectoryLock {
  readonly #dataDir: string;
  readonly #command: string;
  readonly #remedy: string;
  #taking: Promise<DirectoryLock> | undefined;
  #shares = 0;

  constructor(dataDir: string, { command, remedy = '' }: SharedDirectoryLockOptions) {
    this.#dataDir = dataDir;
    this.#command = command;
    this.#remedy = remedy;
  }

  /** Whether something of this process is in the directory. */
  get isHeld(): boolean {
    return this.#shares > 0;
  }

  /**
   * Takes a share, and with the first one the lock. Returns how to give it back; the last one frees the directory.
   * @throws OperationalError `directory_locked` (retryable), `directory_unusable`, `directory_too_new`
   */
  async share(): Promise<() => void> {
    const taking = (this.#taking ??= acquireDirectoryLock(this.#dataDir, { command: this.#command }));
    this.#shares++;
    let lock: DirectoryLock;
    try {
      lock = await taking;
    } catch (error) {
      this.#shares--;
      if (this.#taking === taking) this.#taking = undefined;
      throw this.#withRemedy(error);
    }
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#shares--;
      if (this.#shares > 0) return;
      this.#taking = undefined;
      lock.release();
    };
  }

  /** Lets others know where the API of this process answers; without a share there is nobody who would ask. */
  async setServiceUrl(url: string): Promise<void> {
    (await this.#taking)?.setServiceUrl(url);
  }

  #withRemedy(error: unknown): unknown {
    if (!(error instanceof OperationalError) || error.code !== 'directory_locked' || this.#remedy === '') return error;
    const { code, message, retryable, cause } = error;
    return new OperationalError(code, `${message} ${this.#remedy}`, { retryable, cause });
  }
}
