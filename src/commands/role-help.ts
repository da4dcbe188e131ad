/** What `--help` says of the roles. */
import type { Role } from './roles.js';

export interface RoleHelp {
  /** One line, for the list of commands. */
  readonly description: string;
  /** Below the options: what it needs, and examples. */
  readonly details: string;
}

const SEPARATE = `
Roles run as processes of their own on servers: set database.url and queue.url. What is
embedded belongs to one process: there, run the roles together (downhole run --help).
Each process listens on http.port for GET /v1/health, /v1/health/ready and /metrics.`;

export const ROLE_HELP: Readonly<Record<Role, RoleHelp>> = {
  ingest: {
    description: 'role: take telemetry over HTTP and answer 202 once the queue has it',
    details: `
Opens the queue (queue.url). Telemetry is taken while the database is away.
${SEPARATE}

Examples:
  downhole ingest --config downhole.yaml
  DOWNHOLE_QUEUE_URL=amqp://user:password@mq.example/downhole downhole ingest`,
  },
  pipeline: {
    description: 'role: store what is in the queue: read, judge, write, acknowledge',
    details: `
Opens the queue (queue.url), the database (database.url) and the device state (state.url), and
stores dead letters. While the database is away it holds what it has and consumes no more.
${SEPARATE}

Examples:
  downhole pipeline --config downhole.yaml
  DOWNHOLE_HTTP_PORT=8081 downhole pipeline --config downhole.yaml`,
  },
  jobs: {
    description: 'role: keep the aggregates up to date, compress, retain',
    details: `
Opens the database (database.url). Of several processes with this role one runs each job.
${SEPARATE}

Examples:
  downhole jobs --config downhole.yaml
  DOWNHOLE_HTTP_PORT=8082 downhole jobs --config downhole.yaml`,
  },
  console: {
    description: 'role: answer questions about the data and serve the page',
    details: `
Opens the database (database.url). The depth of the queue is shown where it is in the same process.
${SEPARATE}

Examples:
  downhole console --config downhole.yaml
  DOWNHOLE_HTTP_PORT=8083 downhole console --config downhole.yaml`,
  },
};

export const RUN_HELP = `
The roles: ingest (API), pipeline (queue to database), jobs (aggregates, compression), console
(read API and page). They share one HTTP server, one connection to the queue, one database pool.
\`downhole up\` is all four, with the simulated wells.

Examples:
  downhole run ingest pipeline jobs console
  downhole run pipeline jobs --config downhole.yaml`;
