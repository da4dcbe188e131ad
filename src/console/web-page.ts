/** The page: static files. The headers that keep it to itself are the server's. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';

/** Paths that the page's own router answers: a reload or a shared link gets the page. */
const PAGE_PATHS = [
  '/',
  '/wells/*',
  '/episodes',
  '/episodes/*',
  '/quality',
  '/alerts',
  '/pipeline',
  '/dead-letters',
  '/dead-letters/*',
] as const;
/** What is not for people: there an unknown path gets the server's answer, and never a page. */
const PROGRAM_PATHS = /^\/(v1|metrics|assets)(\/|$)/;

const NOT_BUILT = 'The console page was not built. Run `npm run build:web`, then reload.\n';

/** Where the build puts the page: beside this file's compiled form, or from the sources in dist. */
function defaultWebRoot(): string {
  const fromSource = import.meta.url.endsWith('.ts');
  return fileURLToPath(new URL(fromSource ? '../../dist/web' : '../../web', import.meta.url));
}

/** @param webRoot directory of the built page */
export function webPage(webRoot: string = defaultWebRoot()): FastifyPluginAsync {
  return async (app) => {
    // The page itself is open to all: it has the form to sign in, and nothing of the fleet.
    app.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public', keepsToFleet: true };
    });
    const built = existsSync(webRoot);
    if (built) {
      // Assets carry a hash of their content in their names: a name never means anything else.
      await app.register(fastifyStatic, {
        root: `${webRoot}/assets`,
        prefix: '/assets/',
        immutable: true,
        maxAge: '365d',
        index: false,
        schemaHide: true,
      });
    }
    const page = async (reply: FastifyReply): Promise<FastifyReply> => {
      if (!built) return reply.code(503).type('text/plain').send(NOT_BUILT);
      return reply.header('cache-control', 'no-cache').sendFile('index.html', webRoot, { cacheControl: false });
    };
    for (const path of PAGE_PATHS) app.get(path, { schema: { hide: true } }, async (_request, reply) => page(reply));
    // A mistyped address gets a page that says so.
    app.get('/*', { schema: { hide: true } }, async (request, reply) => {
      const forPeople = request.headers.accept?.includes('text/html') === true;
      if (!forPeople || PROGRAM_PATHS.test(request.url.split('?', 1)[0] ?? '')) return reply.callNotFound();
      return page(reply.code(404));
    });
    app.get('/theme.js', { schema: { hide: true } }, async (_request, reply) =>
      built
        ? reply.header('cache-control', 'no-cache').sendFile('theme.js', webRoot, { cacheControl: false })
        : reply.code(404).type('text/plain').send(NOT_BUILT),
    );
  };
}
