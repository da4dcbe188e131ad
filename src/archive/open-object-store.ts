import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.js';
import { AzureStore } from './azure-store.js';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './object-store.js';

/**
 * The archive that the configuration names: a container of Azure Blob where there is an http(s) URL, else a directory.
 * Nothing is connected to or made until it is used.
 * @throws OperationalError `invalid_configuration`
 */
export async function openObjectStore({ dataDir, archive }: Pick<Config, 'dataDir' | 'archive'>): Promise<ObjectStore> {
  if (archive.url === '') return new DirectoryStore(join(dataDir, 'archive'));
  const { protocol } = new URL(archive.url);
  if (protocol === 'file:') return new DirectoryStore(fileURLToPath(archive.url));
  return AzureStore.open(archive);
}
