/** What every route asks of its caller, noted as routes are registered, and written into the OpenAPI document. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { RouteScope } from './caller.js';
import { errors } from './api-schemas.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** `GET /v1/devices` → what it declares; undefined where it declares nothing, and is for administrators. */
    routeScopes(): ReadonlyMap<string, RouteScope | undefined>;
  }
}

/** Begins to note; to be called before any route is registered. */
export function watchScopes(server: FastifyInstance): void {
  const routes: RouteOptions[] = [];
  server.decorate('routeScopes', () => {
    const entries = routes.flatMap(({ method, url, config }) =>
      [method].flat().map((one) => [`${one} ${url}`, config?.scope] as const),
    );
    return new Map(entries);
  });
  server.addHook('onRoute', (route) => {
    routes.push(route);
    if (route.schema !== undefined && route.schema.hide !== true) describe(route, route.config?.scope ?? 'admin');
  });
}

function describe(route: RouteOptions, scope: RouteScope): void {
  const isPublic = scope === 'public';
  route.schema = {
    ...route.schema,
    // Either the key or the cookie.
    security: isPublic ? [] : [{ key: [scope] }, { session: [scope] }],
    response: {
      ...errors(...(isPublic ? ([429] as const) : ([401, 403, 429] as const))),
      ...(route.schema?.response as object | undefined),
    },
  };
}
