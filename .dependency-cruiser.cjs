/**
 * Which file may import which. `scripts/check-imports.mjs` runs it and fails when it read nothing.
 *
 *   commands → rooms → telemetry, config, monitoring
 *
 * A room (a folder of src) imports another one only through the files listed in OPEN_FILES: its interfaces.
 */
const ROOMS = [
  'alerts',
  'archive',
  'gateway',
  'ingest',
  'queue',
  'pipeline',
  'storage',
  'jobs',
  'dead-letters',
  'console',
  'legacy',
  'quality',
  'episodes',
];

/** What a room shows to other rooms. Anything else in it can change without asking them. */
const OPEN_FILES = [
  'alerts/alert-history',
  'alerts/alert-schemas',
  'alerts/channel',
  'alerts/silences',
  'alerts/test-channels',
  'archive/archiver',
  'archive/restorer',
  'console/.*-routes', // registered on the one HTTP server by ingest
  'dead-letters/dead-letter-office',
  'dead-letters/letter-schemas',
  'episodes/due-devices',
  'episodes/episode-acts',
  'episodes/episode-follower',
  'episodes/episode-schemas',
  'episodes/read-episodes',
  'gateway/service-client',
  'ingest/caller',
  'ingest/device-scope',
  'jobs/job-runner',
  'pipeline/device-registry',
  'pipeline/diagnosis/diagnose',
  'pipeline/episodes/episode',
  'pipeline/episodes/episode-tracker',
  'pipeline/evaluate-as-late',
  'pipeline/judgement-version',
  'pipeline/pipeline',
  'pipeline/read-body',
  'pipeline/read-plain',
  'pipeline/read-record',
  'pipeline/record-spans',
  'pipeline/state-bytes',
  'quality/problems',
  'quality/quality-schemas',
  'quality/read-gaps',
  'quality/read-problems',
  'quality/read-quality',
  'queue/dead-letter',
  'queue/queue',
  'storage/aggregate-levels',
  'storage/audit-log',
  'storage/copy-encoder', // the constants of the format
  'storage/chunk-statistics',
  'storage/database',
  'storage/device-directory',
  'storage/device-registry',
  'storage/device-state',
  'storage/disk-space',
  'storage/dropped-ranges',
  'storage/holds',
  'storage/ledger-days',
  'storage/ledger-store',
  'storage/measure-sizes',
  'storage/newer-rows',
  'storage/shared-directory-lock',
  'storage/sql-state',
  'storage/staged-schema',
  'storage/statistics',
  'storage/storage-days',
  'storage/store-together',
  'storage/telemetry-sink',
];

const openFiles = `^src/(${OPEN_FILES.join('|')})\\.ts$`;

/** One rule a room: dependency-cruiser cannot say "any other room" in a single one. */
const roomRules = ROOMS.map((room) => ({
  name: `${room}-only-through-interfaces`,
  comment: `${room} may import another room only through that room's interface files, listed in .dependency-cruiser.cjs.`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/[^/]+/', pathNot: [`^src/(${room}|telemetry|config|monitoring)/`, '^src/commands/', openFiles] },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'every-room-is-known',
      comment: 'A new folder of src is a room: list it in ROOMS, so that its imports are checked.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(commands|telemetry|config|monitoring|${ROOMS.join('|')})/` },
      to: {},
    },
    {
      name: 'telemetry-is-the-bottom',
      comment: 'The vocabulary imports nothing, so that everyone can import it.',
      severity: 'error',
      from: { path: '^src/telemetry/' },
      to: { pathNot: '^src/telemetry/' },
    },
    {
      name: 'core-does-no-io',
      comment:
        'Quality, rules, detection, diagnosis and episodes are pure: no room, no package, no part of Node; time is passed in.',
      severity: 'error',
      from: { path: '^src/pipeline/(quality|detection|diagnosis|episodes|rules)/' },
      to: { pathNot: ['^src/pipeline/', '^src/telemetry/'] },
    },
    {
      name: 'config-and-monitoring-know-no-room',
      comment: 'They are imported by every room.',
      severity: 'error',
      from: { path: '^src/(config|monitoring)/' },
      to: { path: '^src/', pathNot: '^src/(config|monitoring|telemetry)/' },
    },
    {
      name: 'commands-are-the-top',
      comment: 'Only commands put things together; nobody depends on them but the command line.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/commands/', '^src/cli\\.ts$'] },
      to: { path: ['^src/commands/', '^src/cli\\.ts$'] },
    },
    {
      name: 'src-knows-no-tests',
      severity: 'error',
      comment: 'The program ships without tests, benchmarks, scripts and the sources of the page.',
      from: { path: '^src/' },
      to: { path: '^(tests|benchmarks|scripts|web)/' },
    },
    {
      name: 'src-needs-no-development-package',
      comment: 'What the program imports has to be in dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'page-knows-types-only',
      comment: 'The web page talks to the server over HTTP; it may share types and the channel catalogue.',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^src/', pathNot: '^src/telemetry/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-cycle',
      comment: 'Two files that need each other are one file, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'The import does not resolve, so nothing can be said about its direction.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // With TypeScript's own parser newer compilers read as zero modules without a word; swc does not depend on them.
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
