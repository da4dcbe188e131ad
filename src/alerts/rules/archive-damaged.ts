/** Parts of the archive that the last verification found missing or damaged. */
import type { Config } from '../../config/schema.js';
import { formatTimestamp } from '../../telemetry/timestamp.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

export interface DamagedPart {
  readonly fromUs: number;
  readonly revision: number;
  readonly damage: string;
}

export function archiveDamagedRule(
  listDamaged: () => Promise<readonly DamagedPart[]>,
  settings: Config['alerts']['archiveDamaged'],
): AlertRule {
  return {
    name: 'archive_damaged',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      return (await listDamaged()).map(({ fromUs, revision, damage }) => ({
        labels: { part: `${formatTimestamp(fromUs)}/${revision}` },
        summary: `The part of the archive from ${formatTimestamp(fromUs)}, revision ${revision}, is damaged: ${damage}`,
        detail: { damage },
      }));
    },
  };
}
