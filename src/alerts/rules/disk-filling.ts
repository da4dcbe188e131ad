/** A disk that is full before long, from the sizes that the job measure-storage notes each day. */
import type { Config } from '../../config/schema.js';
import type { Database } from '../../storage/database.js';
import { readForecast, readLastSizes } from '../../storage/storage-days.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

export function diskFillingRule(database: Database, settings: Config['alerts']['diskFilling']): AlertRule {
  return {
    name: 'disk_filling',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      const freeBytes = (await readLastSizes(database))?.diskFreeBytes ?? null;
      const { daysUntilFull, basis } = await readForecast(database, freeBytes);
      const most = Math.max(settings.days, settings.resolveDays);
      if (daysUntilFull === null || freeBytes === null || daysUntilFull >= most) return [];
      const days = Math.floor(daysUntilFull);
      return [
        {
          labels: {},
          summary: `The disk of the database is full in ${days} days, ${basis}.`,
          detail: { daysUntilFull: days, freeBytes },
          isLingering: daysUntilFull >= settings.days,
        },
      ];
    },
  };
}
