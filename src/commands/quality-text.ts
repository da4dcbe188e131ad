/** Data quality as text for a terminal. */
import type {
  Gaps,
  Problems,
  ProblemRecords,
  QualityFigures,
  QualityList,
  QualitySummary,
} from '../quality/quality-schemas.js';
import { textTable } from './text-table.js';

const NONE = '-';
const DIMENSIONS = ['completeness', 'validity', 'consistency', 'timeliness', 'accuracy', 'overall'] as const;
const isFigure = (column: number): boolean => column > 0;

/** Per cent with two digits: 99.99 % and 100 % are not the same. */
const percent = (share: number | null): string => (share === null ? NONE : (share * 100).toFixed(2));

const figures = (of: QualityFigures): string[] => [
  ...DIMENSIONS.map((name) => percent(of[name])),
  String(of.anomalies),
  String(of.records),
];
const HEADS = [...DIMENSIONS, 'anomalies', 'records'];

export function summaryText(summary: QualitySummary): string {
  const { from, to, devices, records } = summary;
  if (records === 0) return `No record from ${from} to ${to}.\n`;
  const rows = DIMENSIONS.map((name) => [name, `${percent(summary[name])} %`]);
  return `From ${from} to ${to}: ${records} records of ${devices} devices, ${summary.anomalies} anomalous\n${textTable(rows, isFigure)}`;
}

export function listText(list: QualityList): string {
  const { by, rows, total, offset, from, to } = list;
  if (rows.length === 0) return `No record from ${from} to ${to}.\n`;
  const coverage = by === 'device';
  const table = textTable(
    [
      [by, ...HEADS, ...(coverage ? ['coverage', 'last seen'] : [])],
      ...rows.map((row) => [
        row.key ?? '(none)',
        ...figures(row),
        ...(coverage ? [percent(row.coverage), row.last_seen ?? NONE] : []),
      ]),
    ],
    isFigure,
  );
  const left = total - offset - rows.length;
  const more = left <= 0 ? '' : `${left} more; --limit shows them.\n`;
  return `From ${from} to ${to}, per cent\n${table}${more}`;
}

export function gapsText(gaps: Gaps): string {
  const head = `${gaps.device_id}, from ${gaps.from} to ${gaps.to}, a reading expected each ${gaps.expected_interval_seconds} s`;
  if (gaps.threshold_seconds === null) return `${head}\nIt reports by exception: silence says nothing.\n`;
  if (gaps.total === 0) return `${head}\nNo silence of more than ${gaps.threshold_seconds} s.\n`;
  const table = textTable(
    [
      ['from', 'to', 'seconds', 'missing records'],
      ...gaps.gaps.map((gap) => [gap.from, gap.to, gap.seconds.toFixed(0), String(gap.missing_records)]),
    ],
    (column) => column > 1,
  );
  return `${head}\n${gaps.total} gaps, ${gaps.gap_seconds.toFixed(0)} s together (source: ${gaps.source})\n${table}`;
}

export function problemsText({ device_id: device, from, to, records, problems }: Problems): string {
  const head = `${device}, from ${from} to ${to}: ${records} records\n`;
  if (problems.length === 0) return `${head}Nothing is wrong with them.\n`;
  return (
    head +
    textTable([
      ['problem', 'records', 'counts against'],
      ...problems.map((each) => [each.problem, String(each.records), each.dimension ?? NONE]),
    ])
  );
}

export function recordsText({ device_id: device, from, to, problem, records, next }: ProblemRecords): string {
  const head = `${device}, from ${from} to ${to}${problem === null ? '' : `: ${problem}`}\n`;
  if (records.length === 0) return `${head}No such record.\n`;
  const table = textTable([
    ['timestamp', 'stored', 'score', 'problems', 'cause', 'values'],
    ...records.map((record) => [
      record.timestamp,
      record.ingestion_timestamp ?? NONE,
      record.quality_score?.toFixed(2) ?? NONE,
      record.problems.join(' ') || NONE,
      record.anomaly_cause ?? NONE,
      Object.entries(record.values)
        .map(([name, value]) => `${name}=${Number(value.toPrecision(6))}`)
        .join(' '),
    ]),
  ]);
  return `${head}${table}${next === null ? '' : `There are more: --until ${next}\n`}`;
}
