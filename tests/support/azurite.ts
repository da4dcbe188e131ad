/** A private Azurite (Azure's own emulator of Blob Storage) for tests: its own directory and port, gone afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { freePort } from './free-port.js';
import { createTemporaryDirectory } from './temporary-directory.js';

const START_TIMEOUT_MS = 60_000;
/** The account that every emulator has; its key is in Azure's documentation. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  readonly port: number;
  /** `url` and `connectionString` of a container, through another port where one is given. */
  container(name: string, port?: number): { url: string; connectionString: string };
  remove(): Promise<void>;
}

export async function startAzurite(): Promise<Azurite> {
  const directory = createTemporaryDirectory('azurite');
  const port = await freePort();
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const server = spawn(
    process.execPath,
    [
      program,
      '--blobHost',
      '127.0.0.1',
      '--blobPort',
      String(port),
      '--location',
      directory.path,
      '--skipApiVersionCheck',
      '--disableTelemetry',
      '--silent',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  server.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
  server.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const exited = once(server, 'exit');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`Azurite does not start:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    container(name, through = port) {
      const endpoint = `http://127.0.0.1:${through}/${ACCOUNT}`;
      return {
        url: `${endpoint}/${name}`,
        connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`,
      };
    },
    async remove() {
      server.kill('SIGTERM');
      await exited;
      await directory.remove();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    await (await fetch(`http://127.0.0.1:${port}/${ACCOUNT}?comp=list`)).arrayBuffer();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false; // not listening yet
    throw error;
  }
}
