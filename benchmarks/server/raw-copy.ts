/** The limit of every writer: `psql` clients that COPY the same rows, encoded beforehand, into the same table. */
import { execFile } from 'node:child_process';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OutgoingMessage } from '../../src/queue/queue.js';
import { TELEMETRY_COPY_TARGET } from '../../src/storage/copy-encoder.js';
import { encodedStreams } from '../encoded-rows.js';

/** Signature, flags and length of the extension; the trailer is a field count of −1. */
const HEADER_BYTES = 19;
const TRAILER_BYTES = 2;

/** Writes the rows of the messages into so many files, batch by batch in turn, each a complete COPY stream. */
export async function writeCopyFiles(
  messages: readonly OutgoingMessage[],
  directory: string,
  files: number,
): Promise<string[]> {
  const paths = Array.from({ length: files }, (_, index) => join(directory, `rows-${index}.copy`));
  const handles: FileHandle[] = [];
  let turn = 0;
  let edges: { header: Uint8Array; trailer: Uint8Array } | undefined;
  for (const path of paths) handles.push(await open(path, 'w'));
  for (const chunks of encodedStreams(messages)) {
    const stream = Buffer.concat(chunks);
    const handle = handles[turn++ % files] as FileHandle;
    edges ??= { header: stream.subarray(0, HEADER_BYTES), trailer: stream.subarray(-TRAILER_BYTES) };
    if (turn <= files) await handle.write(edges.header);
    await handle.write(stream.subarray(HEADER_BYTES, -TRAILER_BYTES));
  }
  for (const handle of handles) {
    await handle.write(edges?.trailer ?? new Uint8Array());
    await handle.close();
  }
  return paths;
}

/** Copies all files at the same time, a client each. */
export async function copyFiles(databaseUrl: string, paths: readonly string[]): Promise<void> {
  await Promise.all(
    paths.map((path) =>
      promisify(execFile)('psql', [
        '--no-psqlrc',
        '--quiet',
        '--set=ON_ERROR_STOP=1',
        `--command=\\copy ${TELEMETRY_COPY_TARGET} FROM '${path}' WITH (FORMAT binary)`,
        databaseUrl,
      ]),
    ),
  );
}
