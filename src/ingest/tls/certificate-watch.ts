/**
 * The certificate of the running server, exchanged when its files change: connections that are open stay open, new ones get
 * the new certificate. Files that do not fit, as while somebody is replacing them, change nothing.
 */
import type { SecureContextOptions } from 'node:tls';
import type { Events } from '../../monitoring/events.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import { checkCertificate, readCertificateFiles, type Certificate, type CertificateFiles } from './certificate.js';

/** Files are compared by their content: links that are pointed elsewhere and file systems without events count as well. */
const LOOK_INTERVAL_MS = 10_000;
const WARNED_BEFORE_MS = 14 * 86_400_000;
const WARN_INTERVAL_MS = 86_400_000;

/** The one thing that is wanted of a TLS server. */
interface SecureServer {
  setSecureContext(options: SecureContextOptions): void;
}

export interface CertificateWatchOptions {
  readonly files: CertificateFiles;
  /** What the server was started with. */
  readonly current: Certificate;
  readonly server: SecureServer;
  readonly events: Events;
  readonly lookIntervalMs?: number;
}

export class CertificateWatch {
  readonly #files: CertificateFiles;
  readonly #events: Events;
  readonly #server: SecureServer;
  readonly #timer: NodeJS.Timeout;
  #current: Certificate;
  /** Content that did not fit when it was last looked at, and whether that was told. */
  #refused: { readonly content: string; isTold: boolean } | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CertificateWatchOptions) {
    this.#files = options.files;
    this.#current = options.current;
    this.#server = options.server;
    this.#events = options.events;
    this.#timer = setInterval(() => this.#look(false), options.lookIntervalMs ?? LOOK_INTERVAL_MS).unref();
    this.#tell();
    this.#warn();
  }

  /** What the server shows. */
  get current(): Certificate {
    return this.#current;
  }

  /** Looks at once, as after SIGHUP. What does not fit is told by an event. */
  reload(): void {
    this.#look(true);
  }

  /** Ends the watching. */
  close(): void {
    clearInterval(this.#timer);
  }

  #look(isAsked: boolean): void {
    let content = '';
    try {
      const text = readCertificateFiles(this.#files);
      content = text.chain + text.privateKey;
      if (content !== this.#current.chain + this.#current.privateKey)
        this.#exchange(checkCertificate(text, this.#files));
      this.#refused = undefined;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#refuse(content, error, isAsked);
    }
    this.#warn();
  }

  #exchange(next: Certificate): void {
    this.#server.setSecureContext(secureContext(next));
    this.#current = next;
    this.#warnedAt = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  /** Half-replaced files do not fit for a moment: told when they are the same at the next look, or when somebody asked. */
  #refuse(content: string, error: OperationalError, isAsked: boolean): void {
    const before = this.#refused?.content === content ? this.#refused : undefined;
    const isTold = isAsked || (before !== undefined && !before.isTold);
    if (isTold) this.#events.emit('certificate_refused', { error });
    this.#refused = { content, isTold: isTold || before?.isTold === true };
  }

  #tell(): void {
    const { x509, names, expiresMs } = this.#current;
    this.#events.emit('certificate_loaded', {
      names: names.slice(0, 20),
      fingerprint: x509.fingerprint256,
      expires: new Date(expiresMs).toISOString(),
    });
  }

  #warn(): void {
    const { expiresMs, x509 } = this.#current;
    if (expiresMs - Date.now() > WARNED_BEFORE_MS || performance.now() - this.#warnedAt < WARN_INTERVAL_MS) return;
    this.#warnedAt = performance.now();
    this.#events.emit('certificate_expiring', {
      expires: new Date(expiresMs).toISOString(),
      fingerprint: x509.fingerprint256,
    });
  }
}

/** TLS 1.3 and nothing older. */
export function secureContext({ chain, privateKey }: Certificate): SecureContextOptions {
  return { cert: chain, key: privateKey, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' };
}
