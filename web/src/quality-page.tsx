import type { JSX } from 'preact';
import type { DeviceQuality, DeviceQualityList, QualitySummary } from '../../src/console/api-schemas.js';
import { getJson } from './api.js';
import { LastSeen } from './fleet-table.js';
import { formatNumber, formatShare } from './format.js';
import { Link } from './link.js';
import { place, setParameters, wellPath } from './router.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 10_000;
const WINDOWS_HOURS = [1, 6, 24, 168, 720] as const;
const WINDOW_WORDS: Readonly<Record<number, string>> = { 1: '1 h', 6: '6 h', 24: '24 h', 168: '7 d', 720: '30 d' };
const PAGE_LIMIT = 500;

const DIMENSIONS = [
  {
    name: 'overall',
    title: 'Overall',
    meaning: '0.30 completeness + 0.30 validity + 0.25 consistency + 0.15 timeliness',
  },
  { name: 'completeness', title: 'Completeness', meaning: 'records with all expected channels' },
  { name: 'validity', title: 'Validity', meaning: 'mean quality score' },
  { name: 'consistency', title: 'Consistency', meaning: 'records without an anomaly' },
  { name: 'timeliness', title: 'Timeliness', meaning: 'records that arrived in time' },
] as const;

export function QualityPage(): JSX.Element {
  const asked = Number(place.value.parameters.get('hours'));
  const hours = WINDOWS_HOURS.find((option) => option === asked) ?? 24;
  const summary = usePoll(
    `summary ${hours}`,
    (abort) => getJson<QualitySummary>(`/v1/quality?hours=${hours}`, abort),
    POLL_MS,
  );
  const devices = usePoll(
    `devices ${hours}`,
    (abort) => getJson<DeviceQualityList>(`/v1/quality/devices?hours=${hours}&limit=${PAGE_LIMIT}`, abort),
    POLL_MS,
  );
  const error = summary.error ?? devices.error;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Data quality</h1>
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
      {error !== undefined && <p class="note bad">{error.message}</p>}
      {summary.data === undefined ? (
        <p class="empty loading">{error === undefined ? 'Loading …' : ''}</p>
      ) : (
        <Summary summary={summary.data} />
      )}
      {devices.data !== undefined && <DeviceTable list={devices.data} />}
    </div>
  );
}

function Summary({ summary }: { readonly summary: QualitySummary }): JSX.Element {
  return (
    <section aria-label="All wells">
      <div class="dimensions">
        {DIMENSIONS.map(({ name, title, meaning }) => (
          <div key={name} class="card dimension">
            <h2>{title}</h2>
            <p class="figure-value">{formatShare(summary[name], 2)}</p>
            <Meter share={summary[name]} />
            <p class="muted">{meaning}</p>
          </div>
        ))}
      </div>
      <p class="muted">
        {formatNumber(summary.records)} records of {formatNumber(summary.devices)} wells,{' '}
        {formatNumber(summary.anomalies)} anomalous. Source: the {summary.source === '1min' ? 'one-minute' : 'hourly'}{' '}
        aggregate.
      </p>
    </section>
  );
}

/** A bar beside a figure that is written out too: decoration for the eye. */
function Meter({ share }: { readonly share: number | null }): JSX.Element {
  const level = share === null ? 'none' : share >= 0.95 ? 'good' : share >= 0.8 ? 'warn' : 'bad';
  return (
    <svg class={`meter ${level}`} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="meter-track" width="100" height="4" />
      <rect width={(share ?? 0) * 100} height="4" fill="currentColor" />
    </svg>
  );
}

function DeviceTable({ list }: { readonly list: DeviceQualityList }): JSX.Element {
  if (list.devices.length === 0) {
    return (
      <div class="empty">
        <p>No records within this window. A longer one may have some.</p>
      </div>
    );
  }
  return (
    <section>
      <h2>Wells, worst first</h2>
      {list.total > list.devices.length && (
        <p class="note">
          The worst {formatNumber(list.devices.length)} of {formatNumber(list.total)}.
        </p>
      )}
      <div class="table-frame" role="region" aria-label="Wells, worst first" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="well">
                <span class="heading">Well</span>
              </th>
              {['Mean score', 'Completeness', 'Consistency', 'Timeliness', 'Anomalies', 'Records', 'Last seen'].map(
                (title) => (
                  <th key={title} scope="col" class="number">
                    <span class="heading">{title}</span>
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {list.devices.map((device) => (
              <DeviceRow key={device.device_id} device={device} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function DeviceRow({ device }: { readonly device: DeviceQuality }): JSX.Element {
  return (
    <tr>
      <th scope="row" class="well">
        <Link href={wellPath(device.device_id)} class="row-link">
          {device.display_name ?? device.device_id}
        </Link>
      </th>
      <td class="number with-meter">
        {formatShare(device.avg_quality)}
        <Meter share={device.avg_quality} />
      </td>
      <td class="number">{formatShare(device.completeness)}</td>
      <td class="number">{formatShare(device.consistency, 2)}</td>
      <td class="number">{formatShare(device.timeliness)}</td>
      <td class="number">{formatNumber(device.anomalies)}</td>
      <td class="number">{formatNumber(device.records)}</td>
      <td class="number">
        <LastSeen at={device.last_seen} />
      </td>
    </tr>
  );
}
