import type { JSX } from 'preact';
import type { Ledger } from '../../src/console/ledger-schemas.js';
import { getJson } from './api.js';
import { FigureTable } from './figure-table.js';
import { LastSeen } from './fleet-table.js';
import { formatNumber } from './format.js';
import { Link } from './link.js';
import { Loaded } from './loaded.js';
import { wellPath } from './router.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 10_000;
/** With losses first: below these there is hardly anything to see. */
const SHOWN_WELLS = 10;

const HEADS = ['Well', 'Received', 'Stored', 'Merged', 'Duplicate', 'Dead-lettered', 'Rejected', 'Last record'];

export function LossLedger(): JSX.Element {
  const path = `/v1/ledger?by=device&limit=${SHOWN_WELLS}`;
  const ledger = usePoll('ledger', (abort) => getJson<Ledger>(path, abort), POLL_MS);
  return (
    <section aria-labelledby="ledger">
      <h2 id="ledger">Where the data went, last 24 hours</h2>
      <Loaded polled={ledger}>{(data) => <LedgerTable data={data} />}</Loaded>
    </section>
  );
}

type Counts = Ledger['sum'];

const figures = (counts: Counts): JSX.Element[] => [
  <>{formatNumber(counts.received)}</>,
  <>{formatNumber(counts.stored)}</>,
  <>{formatNumber(counts.merged)}</>,
  <>{formatNumber(counts.duplicate)}</>,
  <Loss records={counts.dead_lettered} />,
  <Loss records={counts.rejected} />,
];

function LedgerTable({ data }: { readonly data: Ledger }): JSX.Element {
  const { rows, sum, total } = data;
  if (rows.length === 0) return <p class="card muted">No record has arrived.</p>;
  const left = total - rows.length;
  return (
    <>
      <FigureTable
        label="What became of the records of each well, those with losses first"
        heads={HEADS}
        rows={[
          [<strong>All wells</strong>, ...figures(sum), null],
          ...rows.map((row) => [<Well id={row.key} />, ...figures(row), <LastSeen at={row.last_at} />]),
        ]}
      />
      <p class="muted">
        Wells with dead-lettered or rejected records come first
        {left > 0 && `; ${formatNumber(left)} more are not shown`}. The dead letters have the reasons of the former; the
        senders of the latter were told theirs. By hour and for other ranges: <code>downhole ledger</code>.
      </p>
    </>
  );
}

function Well({ id }: { readonly id: string }): JSX.Element {
  if (id === '') return <span class="muted">unknown device</span>;
  return (
    <Link href={wellPath(id)} class="row-link">
      {id}
    </Link>
  );
}

function Loss({ records }: { readonly records: number }): JSX.Element {
  return records === 0 ? <>0</> : <strong class="bad">{formatNumber(records)}</strong>;
}
