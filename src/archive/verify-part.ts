/** Whether a part in the store is what it was when it was verified. */
import { OperationalError } from '../telemetry/operational-error.js';
import type { PartIdentity } from './manifest.js';
import type { ObjectStore } from './object-store.js';
import type { PartFigures } from './part-table.js';
import { hashObject, tallyObject } from './read-part.js';
import { tallyDifference } from './row-tally.js';

/**
 * Reads a part and its manifest from the store, every byte, and every value of the part.
 * @returns what is wrong with it, undefined if nothing is
 * @throws OperationalError when the store does not answer
 */
export async function findDamage(
  store: ObjectStore,
  part: PartIdentity,
  figures: PartFigures,
): Promise<string | undefined> {
  try {
    const manifest = await hashObject(store, part.manifestKey);
    if (manifest.sha256 !== figures.manifestSha256) return `its manifest ${part.manifestKey} has changed`;
    return await findDamageOfRows(store, part, figures);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'archive_object_missing') return error.message;
    throw error;
  }
}

/** The same without the manifest, which is not written yet when a part is read back for the first time. */
export async function findDamageOfRows(
  store: ObjectStore,
  part: PartIdentity,
  figures: Pick<PartFigures, 'tally' | 'bytes' | 'sha256'>,
): Promise<string | undefined> {
  const { objectKey } = part;
  const { tally, bytes } = figures;
  const damage = await findDamageOfBytes(store, part, figures);
  if (damage !== undefined) return damage;
  const columns = tally.columns.map(({ name, type }) => ({ name, type, nullable: true }));
  try {
    const difference = tallyDifference(tally, await tallyObject(store, objectKey, bytes, columns));
    return difference === undefined ? undefined : `${objectKey} has ${difference}`;
  } catch (error) {
    // The bytes are those that were written, so they were written wrong: whatever the reader of Parquet says of them.
    if (error instanceof OperationalError) throw error;
    return `${objectKey} cannot be read as Parquet: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The bytes of the part alone, which is what has to be known before anybody decodes them. */
export async function findDamageOfBytes(
  store: ObjectStore,
  { objectKey }: PartIdentity,
  { bytes, sha256 }: Pick<PartFigures, 'bytes' | 'sha256'>,
): Promise<string | undefined> {
  const found = await hashObject(store, objectKey);
  if (found.bytes !== bytes) return `${objectKey} has ${found.bytes} bytes instead of ${bytes}`;
  return found.sha256 === sha256 ? undefined : `${objectKey} has other bytes than were written`;
}
