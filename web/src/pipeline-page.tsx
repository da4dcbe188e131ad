import type { JSX } from 'preact';
import type { PipelineStatus, StorageStatus } from '../../src/console/api-schemas.js';
import { getJson } from './api.js';
import { FigureTable } from './figure-table.js';
import { LastSeen } from './fleet-table.js';
import { formatBytes, formatDateTime, formatDuration, formatNumber, NO_VALUE } from './format.js';
import { Icon } from './icons.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { LossLedger } from './loss-ledger.js';
import { usePoll } from './use-poll.js';

const PIPELINE_POLL_MS = 2000;
const STORAGE_POLL_MS = 15_000;

export function PipelinePage(): JSX.Element {
  const pipeline = usePoll('pipeline', (abort) => getJson<PipelineStatus>('/v1/pipeline', abort), PIPELINE_POLL_MS);
  const storage = usePoll('storage', (abort) => getJson<StorageStatus>('/v1/storage', abort), STORAGE_POLL_MS);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Pipeline and storage</h1>
      </div>
      <Loaded polled={pipeline}>{(data) => <Pipeline data={data} />}</Loaded>
      <LossLedger />
      <Loaded polled={storage}>{(data) => <Storage data={data} />}</Loaded>
    </div>
  );
}

type Conservation = NonNullable<PipelineStatus['conservation']>;

const OUTCOME_WORDS = {
  stored: 'stored',
  merged: 'merged',
  duplicate: 'duplicate',
  dead_lettered: 'dead-lettered',
  rejected: 'rejected',
  in_flight: 'in flight',
} as const;

function Pipeline({ data }: { readonly data: PipelineStatus }): JSX.Element {
  return (
    <>
      <section aria-labelledby="records">
        <h2 id="records">Records since this process started</h2>
        {data.conservation === null ? (
          <p class="card muted">The pipeline runs in another process: its metrics have the counts.</p>
        ) : (
          <Equation conservation={data.conservation} />
        )}
      </section>
      <div class="columns">
        <section aria-labelledby="queues">
          <h2 id="queues">Queues</h2>
          <Queues data={data} />
        </section>
        <section aria-labelledby="dead-letters">
          <h2 id="dead-letters">Dead letters</h2>
          {data.dead_letters.length === 0 ? (
            <p class="card mark good">
              <Icon name="ok" /> None waits for a decision.
            </p>
          ) : (
            <FigureTable
              label="Dead letters by reason"
              heads={['Reason', 'Letters', 'Last']}
              rows={data.dead_letters.map((letter) => [
                <Link href={`/dead-letters?${new URLSearchParams({ code: letter.code }).toString()}`} class="row-link">
                  <code>{letter.code}</code>
                </Link>,
                formatNumber(letter.count),
                <LastSeen at={letter.last_received} />,
              ])}
            />
          )}
        </section>
      </div>
    </>
  );
}

function Equation({ conservation }: { readonly conservation: Conservation }): JSX.Element {
  const balanced = conservation.difference === 0;
  return (
    <div class="card equation">
      <Term label="received" value={conservation.received} />
      {conservation.recovered > 0 && (
        <>
          <Sign>+</Sign>
          <Term label="recovered" value={conservation.recovered} />
        </>
      )}
      <Sign>=</Sign>
      {(Object.keys(OUTCOME_WORDS) as (keyof typeof OUTCOME_WORDS)[]).map((outcome, at) => (
        <span key={outcome} class="term-pair">
          {at > 0 && <Sign>+</Sign>}
          <Term label={OUTCOME_WORDS[outcome]} value={conservation[outcome]} />
        </span>
      ))}
      {conservation.handed_over > 0 && (
        <>
          <Sign>+</Sign>
          <Term label="handed over" value={conservation.handed_over} />
        </>
      )}
      <span class={`mark ${balanced ? 'good' : 'warn'}`}>
        <Icon name={balanced ? 'ok' : 'transient'} />
        {balanced ? 'Every record is accounted for' : `${formatNumber(conservation.difference)} changing hands`}
      </span>
    </div>
  );
}

function Queues({ data }: { readonly data: PipelineStatus }): JSX.Element {
  return (
    <>
      {data.queues.length === 0 ? (
        <p class="card muted">They are in another process: its metrics have their depth.</p>
      ) : (
        <FigureTable
          label="Depth of the queues"
          heads={['Queue', 'Messages', 'Records', 'Size']}
          rows={data.queues.map((queue) => [
            queue.name,
            formatNumber(queue.messages),
            formatNumber(queue.records),
            formatBytes(queue.bytes),
          ])}
        />
      )}
      {data.records_per_second !== null && data.anomalies !== null && (
        <p class="muted">
          {formatNumber(data.records_per_second, 1)} records/s written over the last minute;{' '}
          {formatNumber(data.anomalies)} anomalous since the start.
        </p>
      )}
    </>
  );
}

function Term({ label, value }: { readonly label: string; readonly value: number }): JSX.Element {
  return (
    <span class="figure">
      <span class="figure-value">{formatNumber(value)}</span>
      <span class="figure-label">{label}</span>
    </span>
  );
}

function Sign({ children }: { readonly children: string }): JSX.Element {
  return <span class="sign">{children}</span>;
}

function Storage({ data }: { readonly data: StorageStatus }): JSX.Element {
  const { database, tables, jobs, readings, archive, disk } = data;
  const edition =
    database.timescale === 'none'
      ? 'no TimescaleDB'
      : `TimescaleDB ${database.timescale_version ?? ''} (${database.timescale})`;
  return (
    <>
      <section aria-labelledby="storage">
        <h2 id="storage">Storage</h2>
        <p class="muted">
          PostgreSQL {database.postgres}, {edition}; {formatBytes(database.bytes)} in all.
          {!database.survives_power_loss && ' This embedded database survives a kill of the process, not a power cut.'}
        </p>
        <p class="muted">
          Chunks of readings: {formatNumber(readings.chunks.uncompressed)} uncompressed,{' '}
          {formatNumber(readings.chunks.compressed)} compressed ({formatNumber(readings.chunks.partial)} due again),{' '}
          {formatNumber(readings.chunks.archived)} archived, {formatNumber(readings.chunks.held)} held,{' '}
          {formatNumber(readings.chunks.past_retention)} past retention. Archive: {formatBytes(archive.bytes)} in{' '}
          {formatNumber(archive.parts)} parts.
        </p>
        <p class="muted">
          Disk: {formatBytes(disk.free_bytes)} free;{' '}
          {disk.days_until_full === null ? '' : `full in ${formatNumber(Math.floor(disk.days_until_full))} days, `}
          {disk.basis}.
        </p>
        <FigureTable
          label="Sizes of the tables"
          heads={['Table', 'Size', 'Chunks', 'Compressed', 'Saved', 'Stored until', 'Lag']}
          rows={tables.map((table) => [
            <code>{table.name}</code>,
            formatBytes(table.bytes),
            formatNumber(table.chunks),
            formatNumber(table.compressed_chunks),
            savedShare(table.bytes_before_compression, table.bytes_after_compression),
            table.stored_until === null ? NO_VALUE : formatDateTime(Date.parse(table.stored_until)),
            table.lag_seconds === null ? NO_VALUE : formatDuration(table.lag_seconds),
          ])}
        />
      </section>
      <section aria-labelledby="jobs">
        <h2 id="jobs">Jobs</h2>
        {jobs.length === 0 ? (
          <p class="card muted">No job has run yet.</p>
        ) : (
          <FigureTable
            label="Last runs of the jobs"
            heads={['Job', 'Last run', 'Took', 'Started', 'Last success']}
            rows={jobs.map((job) => [
              <span>
                <code>{job.job}</code>
                {job.error !== null && <span class="place bad">{job.error}</span>}
              </span>,
              <JobMark result={job.result} />,
              took(job.started_at, job.finished_at),
              <LastSeen at={job.started_at} />,
              <LastSeen at={job.last_success} />,
            ])}
          />
        )}
      </section>
    </>
  );
}

function savedShare(before: number, after: number): string {
  if (before === 0) return NO_VALUE;
  return `${formatNumber((1 - after / before) * 100, 1)} % of ${formatBytes(before)}`;
}

function took(startedAt: string | null, finishedAt: string | null): string {
  if (startedAt === null || finishedAt === null) return NO_VALUE;
  return formatDuration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000);
}

function JobMark({ result }: { readonly result: string }): JSX.Element {
  const look =
    result === 'succeeded' ? ['good', 'ok'] : result === 'failed' ? ['bad', 'anomaly'] : ['accent', 'running'];
  return (
    <span class={`mark ${look[0]}`}>
      <Icon name={look[1] as 'ok' | 'anomaly' | 'running'} />
      {result}
    </span>
  );
}
