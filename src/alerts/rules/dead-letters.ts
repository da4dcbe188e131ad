/** Dead letters that grow: many that wait for a decision, or many new ones in an hour. */
import type { Config } from '../../config/schema.js';
import type { Database } from '../../storage/database.js';
import type { AlertCondition, AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

const COUNT_SQL = `
  SELECT count(*)::int AS waiting, (count(*) FILTER (WHERE last_at > now() - interval '1 hour'))::int AS recent
  FROM dead_letters WHERE state = 'new'`;

export function deadLettersRule(database: Database, settings: Config['alerts']['deadLetters']): AlertRule {
  const { waiting: mostWaiting, resolveWaiting, perHour, resolvePerHour } = settings;
  return {
    name: 'dead_letters',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      const [{ waiting, recent } = { waiting: 0, recent: 0 }] = await database.query<{
        waiting: number;
        recent: number;
      }>(COUNT_SQL);
      return [
        ...above('waiting', waiting, mostWaiting, resolveWaiting, `${waiting} dead letters wait for a decision.`),
        ...above(
          'per_hour',
          recent,
          perHour,
          resolvePerHour,
          `${recent} records became dead letters in the last hour.`,
        ),
      ];
    },
  };
}

function above(measure: string, count: number, most: number, resolve: number, summary: string): AlertCondition[] {
  if (count <= Math.min(most, resolve)) return [];
  return [{ labels: { measure }, summary, detail: { count, threshold: most }, isLingering: count <= most }];
}
