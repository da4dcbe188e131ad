import type { JSX } from 'preact';
import type { QualityList, QualityRow, QualitySummary } from '../../src/quality/quality-schemas.js';
import { getJson } from './api.js';
import { LastSeen } from './fleet-table.js';
import { formatNumber, formatShare } from './format.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { Meter, QualitySummaryCards } from './quality-summary.js';
import { QualityTrend } from './quality-trend.js';
import { place, qualityPath, setParameters } from './router.js';
import { usePoll } from './use-poll.js';
import { WellQuality } from './well-quality.js';

const POLL_MS = 10_000;
const WINDOWS_HOURS = [1, 6, 24, 168, 720] as const;
const WINDOW_WORDS: Readonly<Record<number, string>> = { 1: '1 h', 6: '6 h', 24: '24 h', 168: '7 d', 720: '30 d' };
const PAGE_LIMIT = 500;
/** Fewer hours make no curve. */
const TREND_HOURS = 24;

/** Of the fleet; with the parameter `device` of one well, and what is behind its figures. */
export function QualityPage(): JSX.Element {
  const { parameters } = place.value;
  const asked = Number(parameters.get('hours'));
  const hours = WINDOWS_HOURS.find((option) => option === asked) ?? 24;
  const device = parameters.get('device') ?? undefined;
  const who = device === undefined ? '' : `&device=${encodeURIComponent(device)}`;
  const path = `/v1/quality?hours=${hours}${who}`;
  const summary = usePoll(path, (abort) => getJson<QualitySummary>(path, abort), POLL_MS);
  return (
    <div class="page">
      <div class="page-head">
        <h1>{device === undefined ? 'Data quality' : `Data quality of ${device}`}</h1>
        <div class="segments" role="group" aria-label="Window">
          {WINDOWS_HOURS.map((option) => (
            <button
              key={option}
              type="button"
              aria-pressed={option === hours}
              onClick={() => setParameters({ hours: option === 24 ? null : String(option) }, 'push')}
            >
              {WINDOW_WORDS[option]}
            </button>
          ))}
        </div>
      </div>
      <Loaded polled={summary}>{(data) => <QualitySummaryCards summary={data} />}</Loaded>
      {hours >= TREND_HOURS && <QualityTrend hours={hours} device={device} />}
      {device === undefined ? <Wells hours={hours} /> : <WellQuality device={device} hours={hours} />}
    </div>
  );
}

function Wells({ hours }: { readonly hours: number }): JSX.Element {
  const path = `/v1/quality/groups?by=device&hours=${hours}&limit=${PAGE_LIMIT}`;
  const wells = usePoll(path, (abort) => getJson<QualityList>(path, abort), POLL_MS);
  return <Loaded polled={wells}>{(list) => <WellTable list={list} hours={hours} />}</Loaded>;
}

const HEADS = [
  'Mean score',
  'Completeness',
  'Consistency',
  'Timeliness',
  'Accuracy',
  'Coverage',
  'Anomalies',
  'Records',
  'Last seen',
] as const;

function WellTable({ list, hours }: { readonly list: QualityList; readonly hours: number }): JSX.Element {
  if (list.rows.length === 0) {
    return (
      <div class="empty">
        <p>No records within this window. A longer one may have some.</p>
      </div>
    );
  }
  return (
    <section>
      <h2>Wells, worst first</h2>
      {list.total > list.rows.length && (
        <p class="note">
          The worst {formatNumber(list.rows.length)} of {formatNumber(list.total)}.
        </p>
      )}
      <div class="table-frame" role="region" aria-label="Wells, worst first" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="well">
                <span class="heading">Well</span>
              </th>
              {HEADS.map((title) => (
                <th key={title} scope="col" class="number">
                  <span class="heading">{title}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {list.rows.map((row) => (
              <WellRow key={row.key} row={row} hours={hours} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function WellRow({ row, hours }: { readonly row: QualityRow; readonly hours: number }): JSX.Element {
  const device = row.key ?? '';
  return (
    <tr>
      <th scope="row" class="well">
        <Link href={qualityPath(device, hours)} class="row-link">
          {row.display_name ?? device}
        </Link>
      </th>
      <td class="number with-meter">
        {formatShare(row.avg_quality)}
        <Meter share={row.avg_quality} />
      </td>
      <td class="number">{formatShare(row.completeness)}</td>
      <td class="number">{formatShare(row.consistency, 2)}</td>
      <td class="number">{formatShare(row.timeliness)}</td>
      <td class="number">{formatShare(row.accuracy, 2)}</td>
      <td class="number">{formatShare(row.coverage)}</td>
      <td class="number">{formatNumber(row.anomalies)}</td>
      <td class="number">{formatNumber(row.records)}</td>
      <td class="number">
        <LastSeen at={row.last_seen} />
      </td>
    </tr>
  );
}
