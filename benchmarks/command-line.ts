/** What `npm run bench` and `npm run bench:server` have in common: names to choose by, `--json`, one line a figure. */
import type { Measurement } from './measurement.js';

/** Loaded only when it runs: a benchmark must not pay for another's imports. */
export type Benchmarks = Readonly<Record<string, () => Promise<readonly Measurement[]>>>;

/** Runs the benchmarks that the command line names, or all, and prints their figures on stdout. */
export async function runBenchmarks(benchmarks: Benchmarks): Promise<void> {
  const json = process.argv.includes('--json');
  const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const unknown = named.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0) {
    process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  for (const name of named.length > 0 ? named : Object.keys(benchmarks)) {
    process.stderr.write(`measuring ${name} …\n`);
    for (const result of await (benchmarks[name] as () => Promise<readonly Measurement[]>)()) {
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : describe(result));
    }
  }
}

function describe({ name, value, unit, peer, peerValue, ratio }: Measurement): string {
  return `${name.padEnd(24)} ${value.toLocaleString('en')} ${unit}; ${peer}: ${peerValue.toLocaleString('en')}; ratio ${ratio}\n`;
}
