/** Data quality below a threshold: overall or a dimension, of the fleet, a site or a device. */
import type { Config } from '../../config/schema.js';
import { readQualityList, type QualityListQuestion } from '../../quality/read-quality.js';
import type { QualityRow } from '../../quality/quality-schemas.js';
import type { Database } from '../../storage/database.js';
import type { AlertCondition, AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

type Settings = Config['alerts']['qualityLow'];
type Group = Settings['by'][number];

/** Worst first, so that beyond it nothing is below the threshold that those before are above. */
const MAX_GROUPS = 10_000;

export function qualityLowRule(database: Database, settings: Settings, retention: Config['retention']): AlertRule {
  return {
    name: 'quality_low',
    ...ruleTimes(settings),
    groupBy: ['by'],
    async find() {
      // The figures are those of the aggregates, and a database without them has none.
      if (database.capabilities.timescale !== 'community') return [];
      const nowUs = Date.now() * 1000;
      const window = { fromUs: nowUs - settings.windowMinutes * 60e6, toUs: nowUs };
      const conditions: AlertCondition[] = [];
      for (const by of settings.by) {
        const question: QualityListQuestion = { window, nowUs, retention, by, limit: MAX_GROUPS, offset: 0 };
        const { rows } = await readQualityList(database, question);
        conditions.push(...rows.flatMap((row) => conditionsOf(row, by, settings)));
      }
      return conditions;
    },
  };
}

function conditionsOf(row: QualityRow, by: Group, settings: Settings): AlertCondition[] {
  if (row.records < settings.leastRecords) return [];
  return settings.dimensions.flatMap((dimension) => {
    const value = row[dimension];
    if (value === null || value >= Math.max(settings.below, settings.resolveAbove)) return [];
    const who = by === 'fleet' ? 'the fleet' : `${by} ${row.key ?? '(none)'}`;
    return [
      {
        labels: { dimension, by, ...(by === 'fleet' ? {} : { [by]: row.key ?? '' }) },
        summary: `The quality of the data of ${who} (${dimension}) is ${percent(value)}, below ${percent(settings.below)}.`,
        detail: { value, records: row.records, windowMinutes: settings.windowMinutes },
        isLingering: value >= settings.below,
      },
    ];
  });
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
