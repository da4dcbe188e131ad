/**
 * The configuration: one schema with every key, its default, its bounds and its meaning. Any key can come from the
 * environment: `http.port` is `DOWNHOLE_HTTP_PORT`, `dataDir` is `DOWNHOLE_DATA_DIR`. Unknown keys are refused.
 */
import Type, { type Static } from 'typebox';
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { AlertsSchema } from './alerts-schema.js';
import { EpisodesSchema } from './episodes-schema.js';
import { section } from './section.js';

export const ConfigSchema = Type.Object(
  {
    dataDir: Type.String({
      default: './data',
      minLength: 1,
      description: 'Where the embedded database, the queue and import progress live.',
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'Least level that is logged.',
    }),
    apiKey: Type.String({
      default: '',
      description: 'The API key that the commands show to a service: simulate, import, keys, audit.',
      secret: true,
    }),
    http: section({
      host: Type.String({
        default: '127.0.0.1',
        description: 'Address to listen on. Without keys and TLS only loopback is allowed.',
      }),
      publicNames: Type.Array(Type.String({ minLength: 1, pattern: '^[^\\s/@]+$' }), {
        default: [],
        description:
          'Names and addresses under which the server is called, beside loopback and those of its certificate; with :port where a proxy or a container maps it.',
      }),
      tls: section({
        certificateFile: Type.String({
          default: '',
          description:
            'PEM file of the certificate, with those that lead to its authority: with it the server speaks HTTPS, TLS 1.3 only.',
        }),
        keyFile: Type.String({ default: '', description: 'PEM file of its private key, without passphrase.' }),
        caFile: Type.String({
          default: '',
          description:
            'PEM file of the authority that the own commands trust when they call a service, instead of the public ones.',
        }),
      }),
      requireKeys: Type.Boolean({
        default: false,
        description: 'Whether every request has to show an API key (`downhole keys create` makes them).',
      }),
      maxRequestsPerSecond: Type.Number({
        default: 0,
        minimum: 0,
        maximum: 1e9,
        description: 'Requests per second and key (without keys: and address), bursts of two seconds; 0 = no limit.',
      }),
      maxRecordsPerSecond: Type.Number({
        default: 0,
        minimum: 0,
        maximum: 1e9,
        description: 'Records per second and key (without keys: and address), bursts of two seconds; 0 = no limit.',
      }),
      port: Type.Integer({
        default: 8080,
        minimum: 0,
        maximum: 65_535,
        description: 'Port of API and console; 0 picks a free one.',
      }),
      maxBodyBytes: Type.Integer({
        default: 16_777_216,
        minimum: 1024,
        maximum: 268_435_456,
        description: 'Largest request body, before and after decompression.',
      }),
      maxRecordsPerRequest: Type.Integer({
        default: 100_000,
        minimum: 1,
        maximum: 1_000_000,
        description: 'Most records in one request.',
      }),
      maxDepth: Type.Integer({
        default: 16,
        minimum: 2,
        maximum: 64,
        description: 'Deepest nesting of a record.',
      }),
      maxPendingBytes: Type.Integer({
        default: 134_217_728,
        minimum: 1024,
        maximum: 8_589_934_592,
        description: 'Request bodies held in memory at a time, over all requests: beyond it 503.',
      }),
      maxConnections: Type.Integer({
        default: 1000,
        minimum: 1,
        maximum: 65_535,
        description: 'Open connections; further ones are closed at once.',
      }),
      requestTimeoutMs: Type.Integer({
        default: 60_000,
        minimum: 100,
        maximum: 3_600_000,
        description: 'Longest time for a request to arrive in full, body included.',
      }),
      keepAliveTimeoutMs: Type.Integer({
        default: 72_000,
        minimum: 100,
        maximum: 3_600_000,
        description: 'An idle connection is closed after this time.',
      }),
      stopDelayMs: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 10_000,
        description:
          'At a stop, how long the server goes on while it says that it is not ready: time for a load balancer to notice.',
      }),
    }),
    database: section({
      url: Type.String({
        default: '',
        description: 'postgres:// URL of a TimescaleDB server; empty: the embedded database.',
        protocols: ['postgres:', 'postgresql:'],
        secret: true,
      }),
      poolSize: Type.Integer({ default: 8, minimum: 2, maximum: 200, description: 'Most connections to the server.' }),
      statementTimeoutMs: Type.Integer({
        default: 60_000,
        minimum: 100,
        maximum: 3_600_000,
        description: 'Longest statement on a server, jobs excepted.',
      }),
    }),
    queue: section({
      url: Type.String({
        default: '',
        description: 'amqp:// or amqps:// URL of RabbitMQ; empty: the embedded queue.',
        protocols: ['amqp:', 'amqps:'],
        secret: true,
      }),
      caFile: Type.String({
        default: '',
        description: 'PEM file of the authority that vouches for RabbitMQ (amqps://); empty: those that Node knows.',
      }),
      partitions: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 64,
        description: 'Parts, by device, that the queue on RabbitMQ has; 0: it is one. The same in every process.',
      }),
      consumePartitions: Type.Array(Type.Integer({ minimum: 0, maximum: 63 }), {
        uniqueItems: true,
        default: [],
        description: 'Parts that this process consumes, from 0; empty: all, as far as no other process does.',
      }),
      maxBytes: Type.Integer({
        default: 2_147_483_648,
        minimum: 1_048_576,
        description: 'Bound of the embedded queue: beyond it publishing is refused with 503.',
      }),
      segmentBytes: Type.Integer({
        default: 67_108_864,
        minimum: 65_536,
        maximum: 1_073_741_824,
        description: 'Size of one file of the embedded queue.',
      }),
    }),
    state: section({
      url: Type.String({
        default: '',
        description: 'redis:// or rediss:// URL of the Redis that keeps device state; empty: a table of the database.',
        protocols: ['redis:', 'rediss:'],
        secret: true,
      }),
    }),
    pipeline: section({
      batchRecords: Type.Integer({
        default: 1000,
        minimum: 1,
        maximum: 20_000,
        description: 'A batch is written at this size …',
      }),
      batchIntervalMs: Type.Integer({
        default: 1000,
        minimum: 10,
        maximum: 60_000,
        description: '… or this old; it grows up to maxBatchRecords while there is a backlog.',
      }),
      maxBatchRecords: Type.Integer({
        default: 20_000,
        minimum: 1,
        maximum: 50_000,
        description: 'Largest batch under backlog.',
      }),
      maxRecordsPerSecond: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 10_000_000,
        description: 'Most records read from the queue in a second, imports apart; 0: as fast as they can be written.',
      }),
      maxDevices: Type.Integer({
        default: 100_000,
        minimum: 1,
        maximum: 5_000_000,
        description: 'Most devices; records of further ones become dead letters.',
      }),
      checkpointIntervalMs: Type.Integer({
        default: 5000,
        minimum: 100,
        maximum: 600_000,
        description: 'How often device state is saved.',
      }),
    }),
    quality: section({
      expectedChannels: Type.Array(Type.Enum([...CHANNEL_NAMES]), {
        uniqueItems: true,
        default: ['temperature', 'vibration', 'pressure', 'flow_rate'],
        description: 'Channels a device is expected to report unless its own row in `devices` says otherwise.',
      }),
      timelySeconds: Type.Number({
        default: 300,
        minimum: 1,
        description: 'A record older than this on arrival is late.',
      }),
    }),
    detection: section({
      detector: Type.Enum(['level-shift', 'z-score'], {
        default: 'level-shift',
        description: 'Which anomaly detector runs: of all channels, or of the temperature alone.',
      }),
      zThreshold: Type.Number({
        default: 3,
        exclusiveMinimum: 0,
        description: 'z-score: |z| above which a temperature is an anomaly.',
      }),
      warmUpRecords: Type.Integer({
        default: 60,
        minimum: 2,
        description: 'Records of a device before its baseline is used.',
      }),
      baselineHours: Type.Number({
        default: 24,
        exclusiveMinimum: 0,
        description: 'Time constant of the exponential baseline.',
      }),
    }),
    episodes: EpisodesSchema,
    storage: section({
      chunkHours: Type.Integer({
        default: 24,
        minimum: 1,
        maximum: 168,
        description: 'Chunk interval of the hypertable, set when it is created.',
      }),
    }),
    compression: section({
      afterDays: Type.Integer({
        default: 7,
        minimum: 1,
        maximum: 36_500,
        description: 'Chunks of readings are compressed once their last reading is this old.',
      }),
    }),
    retention: section({
      rawDays: Type.Integer({
        default: 30,
        minimum: 1,
        maximum: 36_500,
        description: 'Age from which readings may be dropped, once a verified archive has them.',
      }),
      minuteDays: Type.Integer({
        default: 90,
        minimum: 1,
        maximum: 36_500,
        description: 'Age from which aggregates per minute are dropped.',
      }),
      hourDays: Type.Integer({
        default: 365,
        minimum: 1,
        maximum: 36_500,
        description: 'Age from which aggregates per hour are dropped. Those per day stay for ever.',
      }),
    }),
    archive: section({
      url: Type.String({
        default: '',
        description:
          'Where old readings are kept as Parquet: file:// URL of a directory, or URL of an Azure Blob container (https://ACCOUNT.blob.core.windows.net/telemetry-archive); empty: the directory archive in dataDir.',
        protocols: ['file:', 'https:', 'http:'],
      }),
      connectionString: Type.String({
        default: '',
        description: 'Connection string of the Azure account; empty: the identity of this machine or user.',
        secret: true,
      }),
      afterDays: Type.Integer({
        default: 25,
        minimum: 1,
        maximum: 36_500,
        description: 'Readings are archived when the last of their chunk is this old.',
      }),
    }),
    alerts: AlertsSchema,
    simulator: section({
      wells: Type.Integer({
        default: 12,
        minimum: 0,
        maximum: 100_000,
        description: 'Simulated wells in `up`; 0 = none.',
      }),
      intervalSeconds: Type.Number({
        default: 1,
        exclusiveMinimum: 0,
        maximum: 3600,
        description: 'Seconds between the records of a well.',
      }),
      seed: Type.Integer({ default: 1, minimum: 0, maximum: 4_294_967_295, description: 'Same seed, same fleet.' }),
      faults: Type.Enum(['none', 'some', 'many'], {
        default: 'none',
        description:
          'Whether simulated wells fail: never, one six-day slot in four, or every slot. Twelve conditions take turns; `downhole simulate --truth` writes down which.',
      }),
      backfillDays: Type.Number({
        default: 10,
        minimum: 0,
        maximum: 400,
        description: 'History to send before going live, as far as the database lacks it.',
      }),
      backfillIntervalSeconds: Type.Number({
        default: 60,
        exclusiveMinimum: 0,
        maximum: 3600,
        description: 'Seconds between records of that history.',
      }),
    }),
  },
  { additionalProperties: false },
);

export type Config = Static<typeof ConfigSchema>;
