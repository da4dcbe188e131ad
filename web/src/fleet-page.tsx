import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import type { Device, DeviceList, PipelineStatus, Sparkline } from '../../src/console/api-schemas.js';
import { getJson, serverNowMs } from './api.js';
import { type FleetColumn, fleetColumns, parseOrder, sortDevices } from './fleet-columns.js';
import { type FleetEntry, FleetTable } from './fleet-table.js';
import { formatNumber, formatShare, NO_VALUE } from './format.js';
import { place, setParameters } from './router.js';
import { usePoll } from './use-poll.js';
import { stateWord, WELL_STATES, wellState } from './well-state.js';

const POLL_MS = 2000;
const SPARKLINE_POLL_MS = 60_000;
const SPARKLINE_HOURS = 6;
const PAGE_LIMIT = 2000;

/** What the table is narrowed to: a state, or the wells with an anomaly. */
const SHOWN = ['all', ...WELL_STATES, 'anomaly'] as const;
type Shown = (typeof SHOWN)[number];

export function FleetPage(): JSX.Element {
  const { parameters } = place.value;
  const search = parameters.get('q') ?? '';
  const shown = SHOWN.find((option) => option === parameters.get('show')) ?? 'all';
  const curve = (parameters.get('curve') ?? 'temperature') as ChannelName;
  const order = parseOrder(parameters.get('sort'));

  const fleet = usePoll('fleet', (abort) => getJson<DeviceList>(`/v1/devices?limit=${PAGE_LIMIT}`, abort), POLL_MS);
  const curves = useSparklines(curve);
  const pipeline = usePoll('pipeline', (abort) => getJson<PipelineStatus>('/v1/pipeline', abort), POLL_MS);
  const devices = useSteadyDevices(fleet.data?.devices);

  if (fleet.data === undefined) return <FleetWithoutData message={fleet.error?.message} />;

  const now = serverNowMs();
  const entries: FleetEntry[] = devices.map((device) => ({
    device,
    state: wellState(device, now),
    sparkline: curves.get(device.device_id),
  }));
  const columns = fleetColumns(devices);
  const visible = sortEntries(
    entries.filter((entry) => isShown(entry, shown) && matches(entry.device, search)),
    columns,
    order,
  );
  const orderBy = (column: string): void => {
    const descending = order.column === column && !order.descending;
    setParameters({ sort: column === 'well' && !descending ? null : (descending ? '-' : '') + column }, 'replace');
  };

  return (
    <div class="page">
      <h1 class="visually-hidden">Fleet</h1>
      <FleetSummary entries={entries} shown={shown} total={fleet.data.total} pipeline={pipeline.data} />
      <div class="toolbar">
        <label class="field grow">
          <span class="visually-hidden">Filter wells by name, site or field</span>
          <input
            type="search"
            placeholder="Filter wells"
            value={search}
            onInput={(event) => setParameters({ q: event.currentTarget.value }, 'replace')}
          />
        </label>
        <label class="field">
          <span>Curve</span>
          <select value={curve} onChange={(event) => setParameters({ curve: event.currentTarget.value }, 'replace')}>
            {CHANNELS.map((channel) => (
              <option key={channel.name} value={channel.name}>
                {channel.label}
              </option>
            ))}
          </select>
        </label>
        <span class="muted count" role="status">
          {visible.length === entries.length
            ? `${entries.length} wells`
            : `${visible.length} of ${entries.length} wells`}
        </span>
      </div>
      {fleet.data.total > devices.length && (
        <p class="note">
          The first {formatNumber(devices.length)} of {formatNumber(fleet.data.total)} wells are shown here; all of them
          are at /v1/devices, page by page.
        </p>
      )}
      {entries.length === 0 ? (
        <NoWells />
      ) : visible.length === 0 ? (
        <div class="empty">
          <p>No well matches.</p>
          <button type="button" onClick={() => setParameters({ q: null, show: null }, 'push')}>
            Show all wells
          </button>
        </div>
      ) : (
        <FleetTable
          entries={visible}
          columns={columns}
          order={order}
          onOrder={orderBy}
          sparklineHours={SPARKLINE_HOURS}
          sparklineTitle={CHANNELS.find((channel) => channel.name === curve)?.label ?? curve}
        />
      )}
    </div>
  );
}

function useSparklines(curve: ChannelName): ReadonlyMap<string, Sparkline> {
  const url = `/v1/devices?limit=${PAGE_LIMIT}&sparkline=${curve}&hours=${SPARKLINE_HOURS}`;
  const { data } = usePoll(url, (abort) => getJson<DeviceList>(url, abort), SPARKLINE_POLL_MS);
  return useMemo(
    () => new Map(data?.devices.flatMap((device) => (device.sparkline ? [[device.device_id, device.sparkline]] : []))),
    [data],
  );
}

/** The devices of the last answer; those that did not change keep their identity, so that their rows do not render. */
function useSteadyDevices(devices: readonly Device[] | undefined): Device[] {
  const known = useRef(new Map<string, { text: string; device: Device }>());
  return useMemo(() => {
    const next = new Map<string, { text: string; device: Device }>();
    for (const device of devices ?? []) {
      const text = JSON.stringify(device);
      const before = known.current.get(device.device_id);
      next.set(device.device_id, before?.text === text ? before : { text, device });
    }
    known.current = next;
    return [...next.values()].map((entry) => entry.device);
  }, [devices]);
}

function isShown(entry: FleetEntry, shown: Shown): boolean {
  if (shown === 'all') return true;
  return shown === 'anomaly' ? entry.device.is_anomaly === true : entry.state === shown;
}

function matches(device: Device, search: string): boolean {
  const text = [device.device_id, device.display_name, device.site, device.field].join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function sortEntries(
  entries: readonly FleetEntry[],
  columns: readonly FleetColumn[],
  order: ReturnType<typeof parseOrder>,
): FleetEntry[] {
  const byId = new Map(entries.map((entry) => [entry.device.device_id, entry]));
  const key = (device: Device): string | number | null => {
    if (order.column === 'state') return WELL_STATES.indexOf(byId.get(device.device_id)?.state ?? 'unknown');
    if (order.column === 'seen') return device.last_seen === null ? null : -Date.parse(device.last_seen);
    if (order.column === 'anomaly') return device.is_anomaly === true ? 0 : 1;
    if (order.column === 'quality') return device.quality_score;
    const column = columns.find((candidate) => candidate.id === order.column);
    return column === undefined ? (device.display_name ?? device.device_id) : (device.values[column.id]?.value ?? null);
  };
  return sortDevices(
    entries.map((entry) => entry.device),
    order,
    key,
  ).map((device) => byId.get(device.device_id) as FleetEntry);
}

interface FleetSummaryProps {
  readonly entries: readonly FleetEntry[];
  readonly shown: Shown;
  readonly total: number;
  readonly pipeline: PipelineStatus | undefined;
}

/** The fleet in figures; the counts are also the filter. */
function FleetSummary({ entries, shown, total, pipeline }: FleetSummaryProps): JSX.Element {
  const scores = entries.flatMap(({ device }) => device.quality_score ?? []);
  const quality = scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const choices = SHOWN.map((option) => ({
    option,
    label: option === 'all' ? 'Wells' : option === 'anomaly' ? 'Anomaly' : stateWord(option),
    count: option === 'all' ? total : entries.filter((entry) => isShown(entry, option)).length,
  })).filter(
    ({ option, count }) =>
      option === 'all' || option === 'running' || option === 'anomaly' || count > 0 || option === shown,
  );
  return (
    <div class="summary">
      <div class="choices" role="group" aria-label="Show wells">
        {choices.map(({ option, label, count }) => (
          <button
            key={option}
            type="button"
            class={`figure choice ${option === 'all' ? '' : option === 'anomaly' ? (count > 0 ? 'bad' : '') : `state-${option}`}`}
            aria-pressed={option === shown}
            onClick={() => setParameters({ show: option === 'all' || option === shown ? null : option }, 'replace')}
          >
            <span class="figure-value">{formatNumber(count)}</span>
            <span class="figure-label">{label}</span>
          </button>
        ))}
      </div>
      <div class="figure">
        <span class="figure-value">{formatShare(quality)}</span>
        <span class="figure-label">Mean quality, last records</span>
      </div>
      <div class="figure">
        <span class="figure-value">
          {pipeline === undefined || pipeline.records_per_second === null
            ? NO_VALUE
            : formatNumber(pipeline.records_per_second, pipeline.records_per_second < 100 ? 1 : 0)}
        </span>
        <span class="figure-label">Records/s</span>
      </div>
    </div>
  );
}

function NoWells(): JSX.Element {
  return (
    <div class="empty">
      <h2>No wells yet</h2>
      <p>A well appears here with its first record. Three ways to get one:</p>
      <ul>
        <li>
          start with simulated wells: <code>DOWNHOLE_SIMULATOR_WELLS=12 npm start</code>
        </li>
        <li>
          import a file: <code>npx downhole import FILE --mapping mapping.yaml</code>
        </li>
        <li>
          send records to <code>POST /v1/telemetry</code>
        </li>
      </ul>
    </div>
  );
}

function FleetWithoutData({ message }: { readonly message: string | undefined }): JSX.Element {
  return (
    <div class="page">
      <h1 class="visually-hidden">Fleet</h1>
      <div class="empty" role="status">
        {message === undefined ? <p class="loading">Loading the fleet …</p> : <p>{message}</p>}
      </div>
    </div>
  );
}
