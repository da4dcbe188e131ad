/** Which methods a path has, so that a wrong method is told from a wrong path. */
import type { FastifyInstance } from 'fastify';

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

export class KnownPaths {
  readonly #paths = new Map<string, KnownPath>();

  /** Notes every route that is registered on the server from now on. */
  watch(server: FastifyInstance): void {
    server.addHook('onRoute', ({ url, method }) => {
      let path = this.#paths.get(url);
      if (path === undefined) {
        path = { pattern: toPattern(url), methods: new Set() };
        this.#paths.set(url, path);
      }
      for (const one of [method].flat()) path.methods.add(one);
    });
  }

  /** The methods of a requested path, empty when there is no such path. A catch-all counts as none. */
  methodsOf(requested: string): string[] {
    const methods = new Set<string>();
    for (const [url, path] of this.#paths) {
      if (!url.endsWith('*') && path.pattern.test(requested)) for (const method of path.methods) methods.add(method);
    }
    return [...methods];
  }
}

/** `/v1/devices/:id/series` → a pattern whose parameters match one segment. */
function toPattern(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+';
    return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}
