/** Under which names this server may be called: what `Host` and `Origin` are compared with. */
import { isIPv6 } from 'node:net';

interface Authority {
  /** Lower case, without brackets. */
  readonly host: string;
  /** undefined: none was given. */
  readonly port: number | undefined;
}

/** Takes `host`, `host:port` or `[address]:port` apart; undefined when it is none of them. */
function parseAuthority(text: string): Authority | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/i.exec(text);
  if (parts === null) return undefined;
  const [, address, name, port] = parts;
  if (address !== undefined && !isIPv6(address)) return undefined;
  return { host: canonical((address ?? name) as string), port: port === undefined ? undefined : Number(port) };
}

/** An IPv6 address can be written in many ways; names in two cases. */
function canonical(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host.toLowerCase();
}

/** Whether a host name or address (without brackets) means this machine and no other. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:(127(\.\d{1,3}){3}|7f[0-9a-f]{2}:[0-9a-f]{1,4}))$/i.test(host);
}

/** Addresses that mean "all of this machine" are for listening, not for calling. */
export const isUnspecified = (host: string): boolean => /^(0(\.0){3}|::|)$/.test(host);

export interface OwnNamesOptions {
  /** `http.host`: an address of its own is a name. */
  readonly host: string;
  /** `http.publicNames`; one with a port is called at that port, others at the one that the server listens on. */
  readonly publicNames: readonly string[];
  /** Of the certificate, whenever it changes. */
  readonly certificateNames: () => readonly string[];
  /** Which port is meant where none is given. */
  readonly defaultPort: number;
}

export class OwnNames {
  readonly #names: readonly Authority[];
  readonly #certificateNames: () => readonly string[];
  readonly #defaultPort: number;

  constructor({ host, publicNames, certificateNames, defaultPort }: OwnNamesOptions) {
    const given = isUnspecified(host) ? publicNames : [...publicNames, host];
    this.#names = given.map(
      (name) => (isIPv6(name) ? undefined : parseAuthority(name)) ?? { host: canonical(name), port: undefined },
    );
    this.#certificateNames = certificateNames;
    this.#defaultPort = defaultPort;
  }

  /** Whether `host:port` of a request is this server, which listens on `port`. */
  has(authority: string, port: number): boolean {
    const called = parseAuthority(authority);
    if (called === undefined) return false;
    const calledPort = called.port ?? this.#defaultPort;
    if (this.#names.some((name) => name.host === called.host && (name.port ?? port) === calledPort)) return true;
    return calledPort === port && (isLoopback(called.host) || this.#isCertified(called.host));
  }

  #isCertified(host: string): boolean {
    return this.#certificateNames().some((name) => canonical(name) === host);
  }
}
