/** What is behind the figures of one well: its problems, its gaps, and the records themselves. */
import type { JSX } from 'preact';
import type { Gaps, ProblemRecords, Problems } from '../../src/quality/quality-schemas.js';
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import { getJson } from './api.js';
import { FigureTable } from './figure-table.js';
import { formatDateTime, formatDuration, formatNumber, formatShare, formatValue, unitOf } from './format.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { place, setParameters, wellPath } from './router.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 30_000;
const GAPS_SHOWN = 20;
const RECORDS_SHOWN = 50;

interface WellQualityProps {
  readonly device: string;
  readonly hours: number;
}

export function WellQuality({ device, hours }: WellQualityProps): JSX.Element {
  const api = `/v1/devices/${encodeURIComponent(device)}`;
  const problemsPath = `${api}/quality/problems?hours=${hours}`;
  const gapsPath = `${api}/gaps?hours=${hours}&limit=${GAPS_SHOWN}`;
  const problems = usePoll(problemsPath, (abort) => getJson<Problems>(problemsPath, abort), POLL_MS);
  const gaps = usePoll(gapsPath, (abort) => getJson<Gaps>(gapsPath, abort), POLL_MS);
  const problem = place.value.parameters.get('problem');
  return (
    <>
      <p>
        <Link href={wellPath(device)}>Curves of {device}</Link> · <Link href="/quality">All wells</Link>
      </p>
      <Loaded polled={problems}>{(data) => <ProblemTable problems={data} chosen={problem} />}</Loaded>
      {problem !== null && <Records api={api} hours={hours} problem={problem} />}
      <Loaded polled={gaps}>{(data) => <GapTable gaps={data} />}</Loaded>
    </>
  );
}

/** `missing:motor_current` → `Motor current missing`. */
function problemWords(problem: string): string {
  const [kind = '', channel] = problem.split(':');
  if (channel === undefined) {
    const words = kind.replaceAll('_', ' ');
    return words.charAt(0).toUpperCase() + words.slice(1);
  }
  return `${CHANNELS.find(({ name }) => name === channel)?.label ?? channel} ${kind}`;
}

function ProblemTable({
  problems,
  chosen,
}: {
  readonly problems: Problems;
  readonly chosen: string | null;
}): JSX.Element {
  if (problems.problems.length === 0)
    return (
      <section>
        <h2>Problems</h2>
        <p class="muted">
          {problems.records === 0
            ? 'None of the records of this window is kept any more.'
            : `Nothing is wrong with any of the ${formatNumber(problems.records)} records.`}
        </p>
      </section>
    );
  return (
    <section>
      <h2>Problems</h2>
      <FigureTable
        label="Problems"
        heads={['Problem', 'Records', 'Share', 'Counts against']}
        rows={problems.problems.map(({ problem, records, dimension }) => [
          <button
            type="button"
            class="link"
            aria-pressed={problem === chosen}
            onClick={() => setParameters({ problem: problem === chosen ? null : problem }, 'push')}
          >
            {problemWords(problem)}
          </button>,
          formatNumber(records),
          formatShare(records / problems.records, 2),
          dimension ?? '–',
        ])}
      />
      <p class="muted">Of {formatNumber(problems.records)} records. Choose a problem to see which ones.</p>
    </section>
  );
}

interface RecordsProps {
  readonly api: string;
  readonly hours: number;
  readonly problem: string;
}

function Records({ api, hours, problem }: RecordsProps): JSX.Element {
  const path = `${api}/quality/records?hours=${hours}&limit=${RECORDS_SHOWN}&problem=${encodeURIComponent(problem)}`;
  const records = usePoll(path, (abort) => getJson<ProblemRecords>(path, abort), POLL_MS);
  return (
    <section>
      <h2>{problemWords(problem)}: the newest records</h2>
      <Loaded polled={records}>
        {(data) => (
          <FigureTable
            label="Records"
            heads={['Time', 'Score', 'Problems', 'Values']}
            rows={data.records.map((record) => [
              formatDateTime(Date.parse(record.timestamp)),
              formatShare(record.quality_score, 0),
              record.problems.map(problemWords).join(', '),
              Object.entries(record.values)
                .map(
                  ([name, value]) =>
                    `${name} ${formatValue(name as ChannelName, value)} ${unitOf(name as ChannelName)}`,
                )
                .join(', '),
            ])}
          />
        )}
      </Loaded>
    </section>
  );
}

function GapTable({ gaps }: { readonly gaps: Gaps }): JSX.Element {
  if (gaps.threshold_seconds === null)
    return (
      <section>
        <h2>Gaps</h2>
        <p class="muted">The well reports by exception: silence says nothing.</p>
      </section>
    );
  const expected = `a reading each ${formatDuration(gaps.expected_interval_seconds)} is expected`;
  if (gaps.total === 0)
    return (
      <section>
        <h2>Gaps</h2>
        <p class="muted">
          No silence of more than {formatDuration(gaps.threshold_seconds)}; {expected}.
        </p>
      </section>
    );
  return (
    <section>
      <h2>Gaps</h2>
      <FigureTable
        label="Gaps"
        heads={['From', 'To', 'Length', 'Missing records']}
        rows={[...gaps.gaps]
          .reverse()
          .map((gap) => [
            formatDateTime(Date.parse(gap.from)),
            formatDateTime(Date.parse(gap.to)),
            formatDuration(gap.seconds),
            formatNumber(gap.missing_records),
          ])}
      />
      <p class="muted">
        {formatNumber(gaps.total)} gaps, {formatDuration(gaps.gap_seconds)} together; {expected}.
      </p>
    </section>
  );
}
