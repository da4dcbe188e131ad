/** The frame of the OpenAPI document; paths and schemas come from the routes. */
import type { SwaggerOptions } from '@fastify/swagger';

/** Options of @fastify/swagger for a document of this version of the program. */
export function openApiOptions(version: string): SwaggerOptions {
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
      tags: [
        { name: 'ingest', description: 'Telemetry in.' },
        { name: 'read', description: 'Telemetry out.' },
        { name: 'holds', description: 'Ranges that retention leaves alone.' },
        { name: 'health', description: 'Is it well?' },
      ],
    },
  };
}
