/** The frame of the OpenAPI document; paths and schemas come from the routes. */
import type { SwaggerOptions } from '@fastify/swagger';
import { sessionCookie } from './keys/sessions.js';

/** Options of @fastify/swagger for a document of this version of the program. @param isSecure whether the server speaks HTTPS */
export function openApiOptions(version: string, isSecure: boolean): SwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Downhole',
        version,
        description:
          'Telemetry of electrical submersible pumps: sending it, reading it back, and how the service is. ' +
          'Every error has the shape {"error": {"code", "message", "field"?}}.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This server.' }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'dh_<id>_<secret>',
            description:
              'An API key, where http.requireKeys is set. Scopes: write, read, admin (which implies read). ' +
              'A key that is restricted to sites or devices is refused by what shows the whole fleet.',
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: sessionCookie(isSecure),
            description:
              'Of somebody who has signed in at the page. With it only pages of this server may write: the request says ' +
              'so by Origin or Sec-Fetch-Site.',
          },
        },
      },
      tags: [
        { name: 'ingest', description: 'Telemetry in.' },
        { name: 'read', description: 'Telemetry out.' },
        { name: 'dead letters', description: 'Records that could not be stored.' },
        { name: 'holds', description: 'Ranges that retention leaves alone.' },
        { name: 'keys', description: 'API keys, and who did what.' },
        { name: 'session', description: 'Signing in at the page.' },
        { name: 'health', description: 'Is it well?' },
      ],
    },
  };
}
