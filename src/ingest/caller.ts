/** Who sends a request and what it may do: what a route has to know of keys, and no more. */
import type { DeviceScope } from './device-scope.js';
import type { Scope } from './scopes.js';

/** What a route asks for; `public`: nothing. */
export type RouteScope = Scope | 'public';

/** Per second; 0: no limit. */
export interface Rates {
  readonly requestsPerSecond: number;
  readonly recordsPerSecond: number;
}

export interface Caller {
  /** For logs, messages and audit: `key:ID`, or `http:ADDRESS` of somebody without a key. */
  readonly actor: string;
  readonly scopes: ReadonlySet<Scope>;
  /** What its key is restricted to; undefined: the whole fleet. */
  readonly fleet: DeviceScope | undefined;
  readonly rates: Rates;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route. A route that does not say is for administrators. */
    scope?: RouteScope;
    /**
     * The route shows and takes only what `request.caller.fleet` covers, or nothing of the fleet at all. Keys that are
     * restricted to sites or devices are refused by all others.
     */
    keepsToFleet?: boolean;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

export function mayDo(caller: Caller, scope: RouteScope): boolean {
  if (scope === 'public' || caller.scopes.has(scope)) return true;
  return scope === 'read' && caller.scopes.has('admin');
}
