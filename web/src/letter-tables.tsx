import type { JSX } from 'preact';
import type { Letter, LetterGroups } from '../../src/dead-letters/letter-schemas.js';
import { LastSeen } from './fleet-table.js';
import { formatBytes, formatNumber, NO_VALUE } from './format.js';
import { Link } from './link.js';
import { letterPath, wellPath } from './router.js';
import { TableHead } from './table-head.js';

/** So much of an id tells letters apart; the API takes it for the whole one where it is unique. */
const SHOWN_ID_LENGTH = 10;

const LETTER_STATE_WORDS: Readonly<Record<Letter['state'], string>> = {
  new: 'waiting',
  replayed: 'replayed',
  purged: 'purged',
};

interface GroupTableProps {
  readonly groups: LetterGroups['groups'];
  readonly chosen: string | null;
  /** null: all reasons. */
  readonly onChoose: (code: string | null) => void;
}

export function GroupTable({ groups, chosen, onChoose }: GroupTableProps): JSX.Element {
  return (
    <div class="table-frame" role="region" aria-label="Dead letters by reason" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <TableHead title="Reason" />
            <TableHead title="Letters" isNumber />
            <TableHead title="Messages" isNumber />
            <TableHead title="Wells" isNumber />
            <TableHead title="First" isNumber />
            <TableHead title="Last" isNumber />
            <TableHead title="The last one" />
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr key={group.code}>
              <th scope="row">
                <button
                  type="button"
                  class="reason"
                  aria-pressed={group.code === chosen}
                  onClick={() => onChoose(group.code === chosen ? null : group.code)}
                >
                  <code>{group.code}</code>
                </button>
              </th>
              <td class="number">{formatNumber(group.letters)}</td>
              <td class="number">{formatNumber(group.occurrences)}</td>
              <td class="number">{formatNumber(group.devices)}</td>
              <td class="number">
                <LastSeen at={group.first_at} />
              </td>
              <td class="number">
                <LastSeen at={group.last_at} />
              </td>
              <td class="words" title={group.example.error}>
                {group.example.error}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LetterTableProps {
  readonly letters: readonly Letter[];
  /** The parameters of this page, for the way back. */
  readonly query: string;
  readonly showState: boolean;
}

export function LetterTable({ letters, query, showState }: LetterTableProps): JSX.Element {
  return (
    <div class="table-frame" role="region" aria-label="Dead letters" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <TableHead title="Letter" />
            <TableHead title="Last" isNumber />
            <TableHead title="Well" />
            <TableHead title="Reason" />
            <TableHead title="Error" />
            {showState && <TableHead title="State" />}
            <TableHead title="Messages" isNumber />
            <TableHead title="Size" isNumber />
          </tr>
        </thead>
        <tbody>
          {letters.map((letter) => (
            <tr key={letter.id}>
              <th scope="row">
                <Link href={letterPath(letter.id, query)} class="row-link">
                  <code>{letter.id.slice(0, SHOWN_ID_LENGTH)}</code>
                </Link>
              </th>
              <td class="number">
                <LastSeen at={letter.last_at} />
              </td>
              <td>
                {letter.device_id === null ? (
                  <span class="muted">{NO_VALUE}</span>
                ) : (
                  <Link href={wellPath(letter.device_id)} class="row-link">
                    {letter.device_id}
                  </Link>
                )}
              </td>
              <td>
                <code>{letter.code}</code>
              </td>
              <td class="words" title={letter.error}>
                {letter.error}
              </td>
              {showState && <td>{LETTER_STATE_WORDS[letter.state]}</td>}
              <td class="number">{formatNumber(letter.occurrences)}</td>
              <td class="number">{formatBytes(letter.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
