/** `npm run bench [-- NAME…] [-- --json]`: measures, prints each figure beside its peer and their ratio. */
import type { Measurement } from './measurement.js';

/** Loaded only when it runs: a benchmark must not pay for another's imports. */
const BENCHMARKS: Readonly<Record<string, () => Promise<readonly Measurement[]>>> = {
  core: async () => [await (await import('./core.js')).benchmarkCore()],
  'queue-append': async () => [await (await import('./queue-append.js')).benchmarkQueueAppend()],
  'end-to-end-embedded': async () => [await (await import('./end-to-end-embedded.js')).benchmarkEndToEndEmbedded()],
  compression: async () => [await (await import('./compression.js')).benchmarkCompression()],
  'aggregate-24h': async () => (await import('./aggregate-24h.js')).benchmarkAggregate24h(),
};

async function main(): Promise<void> {
  const json = process.argv.includes('--json');
  const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const unknown = named.filter((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown.length > 0) {
    process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  for (const name of named.length > 0 ? named : Object.keys(BENCHMARKS)) {
    process.stderr.write(`measuring ${name} …\n`);
    for (const result of await (BENCHMARKS[name] as () => Promise<readonly Measurement[]>)()) {
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : describe(result));
    }
  }
}

function describe({ name, value, unit, peer, peerValue, ratio }: Measurement): string {
  return `${name.padEnd(24)} ${value.toLocaleString('en')} ${unit}; ${peer}: ${peerValue.toLocaleString('en')}; ratio ${ratio}\n`;
}

await main();
