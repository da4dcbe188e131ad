/** Notes each day how large everything is, and how much is left of the disk: from it follows when the disk is full. */
import { measureSizes, type StoragePlaces } from '../storage/measure-sizes.js';
import { readForecast, recordSizes } from '../storage/storage-days.js';
import type { JobDefinition } from './job.js';

export function measureStorageJob(places: StoragePlaces): JobDefinition {
  return {
    name: 'measure-storage',
    description: 'notes the sizes of the day, from which follows when the disk is full',
    lane: 'housekeeping',
    intervalSeconds: 3600,
    initialDelaySeconds: 30,
    async run({ database, slice }) {
      const sizes = await slice(() => measureSizes(database, places));
      await recordSizes(database, sizes);
      const { daysUntilFull, basis } = await readForecast(database, sizes.diskFreeBytes);
      return { detail: { daysUntilFull: daysUntilFull === null ? '' : Math.floor(daysUntilFull), basis }, more: false };
    },
    findFault: () => Promise.resolve(null),
  };
}
