import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.js';
import type { StoragePlaces } from '../storage/measure-sizes.js';

/** Which directories what is stored is in, as far as it is not on servers. */
export function storagePlaces({
  dataDir,
  database,
  queue,
  archive,
}: Pick<Config, 'dataDir' | 'database' | 'queue' | 'archive'>): StoragePlaces {
  const isFile = archive.url.startsWith('file:');
  return {
    dataDir: database.url === '' || queue.url === '' || archive.url === '' ? dataDir : null,
    database: database.url === '' ? dataDir : null,
    queue: queue.url === '' ? join(dataDir, 'queue') : null,
    archive: archive.url === '' ? join(dataDir, 'archive') : isFile ? fileURLToPath(archive.url) : null,
  };
}
