/** `downhole dlq`: dead letters seen, replayed and purged, in the database or through the service that holds it. */
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { DatabaseLetterOffice, type DeadLetterOffice } from '../dead-letters/dead-letter-office.js';
import { HttpLetterOffice } from '../dead-letters/http-letter-office.js';
import type { ReplayedLetter } from '../dead-letters/letter-schemas.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { correctionsOf, filterOf, limitOf, selectionOf, stateOf, type DlqOptions } from './dlq-options.js';
import { loadSettings } from './load-settings.js';
import { printLine as line, printTable as table } from './print-table.js';
import { refuseOlderSchema } from './schema-state.js';
import { ownServiceAccess } from './service-access.js';
import { withDatabase } from './with-database.js';

/** Letters a request: each is one transaction. */
const LETTERS_A_REQUEST = 200;
const LISTED = 50;
const SHORT_ID = 12;

/** Prints letters, or with `--groups` their reasons. */
export async function listDeadLetters(options: DlqOptions): Promise<void> {
  const filter = filterOf(options);
  const state = stateOf(options);
  const limit = Math.min(limitOf(options, LISTED), 500);
  await atOffice(options, async (office) => {
    if (options.groups === true) {
      const answer = await office.groups({ ...filter, state });
      if (options.json === true) return print(answer);
      table(
        ['CODE', 'LETTERS', 'DEVICES', 'LAST', 'EXAMPLE'],
        answer.groups.map(({ code, letters, devices, last_at: last, example }) => [
          code,
          String(letters),
          String(devices),
          last,
          `${example.id.slice(0, SHORT_ID)} ${example.error}`,
        ]),
      );
      return;
    }
    const answer = await office.list({ ...filter, state, limit });
    if (options.json === true) return print(answer);
    table(
      ['ID', 'CODE', 'DEVICE', 'STATE', 'LAST', 'ERROR'],
      answer.letters.map(({ id, code, device_id: device, state: now, last_at: last, error }) => [
        id.slice(0, SHORT_ID),
        code,
        device ?? '-',
        now,
        last,
        error,
      ]),
    );
    if (answer.next !== null)
      process.stderr.write(`downhole: there are more; --limit shows up to 500, filters narrow them down\n`);
  });
}

/** Prints one letter; with `--raw` nothing but its original bytes. */
export async function showDeadLetter(id: string, options: DlqOptions): Promise<void> {
  selectionOf([id], {});
  await atOffice(options, async (office) => {
    const answer = await office.show(id);
    if (options.json === true) return print(answer);
    const { original, history, headers, ...fields } = answer.letter;
    if (options.raw === true) return void process.stdout.write(Buffer.from(original.data, original.encoding));
    for (const [name, value] of Object.entries(fields)) if (value !== null) line(`${name}: ${shown(value)}`);
    line(`headers: ${JSON.stringify(headers)}`);
    for (const { at, actor, action, detail } of history) line(`${at} ${actor} ${action} ${JSON.stringify(detail)}`);
    line(`original (${original.encoding}):\n${original.data}`);
  });
}

/** Replays letters, request by request; what one has answered is committed. Ctrl-C ends it between two. */
export async function replayDeadLetters(ids: readonly string[], options: DlqOptions): Promise<void> {
  const selection = selectionOf(ids, options);
  const corrections = correctionsOf(options);
  const counts = { replayed: 0, refused: 0, skipped: 0 };
  const letters: ReplayedLetter[] = [];
  await atOffice(options, async (office, actor) => {
    await pageByPage(options, async (page) => {
      const answer = await office.replay(
        {
          ...selection,
          ...page,
          ...(corrections === undefined ? {} : { corrections }),
          overwrite: options.overwrite === true,
          dry_run: options.dryRun === true,
        },
        actor,
      );
      for (const letter of answer.letters) {
        counts[letter.result]++;
        if (options.json === true) letters.push(letter);
        else if (letter.result !== 'replayed')
          line(`${letter.id.slice(0, SHORT_ID)}  ${letter.result}  ${letter.code ?? ''}  ${letter.error ?? ''}`);
      }
      process.stderr.write(`downhole: ${counts.replayed} replayed, ${counts.refused} refused so far\n`);
      return { handled: answer.letters.length, next: answer.next };
    });
  });
  if (options.json === true) return print({ dry_run: options.dryRun === true, ...counts, letters });
  const tense = options.dryRun === true ? 'would be ' : '';
  line(`${tense}replayed ${counts.replayed}, refused ${counts.refused}, skipped ${counts.skipped}`);
}

/** Shows what is meant, asks, and gives it up for good. */
export async function purgeDeadLetters(ids: readonly string[], options: DlqOptions): Promise<void> {
  const selection = selectionOf(ids, options);
  let purged = 0;
  await atOffice(options, async (office, actor) => {
    if (options.yes !== true) await askBefore(office, selection.ids, options);
    await pageByPage(options, async (page) => {
      const answer = await office.purge({ ...selection, ...page }, actor);
      purged += answer.purged.length;
      return { handled: answer.purged.length, next: answer.next };
    });
  });
  if (options.json === true) print({ purged });
  else line(`purged ${purged}`);
}

async function askBefore(
  office: DeadLetterOffice,
  ids: readonly string[] | undefined,
  options: DlqOptions,
): Promise<void> {
  if (!process.stdin.isTTY)
    throw new OperationalError('wrong_usage', 'Nobody can be asked here. Say --yes to give these letters up for good.');
  if (ids === undefined) {
    const { groups } = await office.groups({ ...filterOf(options), state: 'new' });
    table(
      ['CODE', 'LETTERS'],
      groups.map(({ code, letters }) => [code, String(letters)]),
    );
  } else {
    for (const id of ids) {
      const { letter } = await office.show(id);
      line(`${letter.id.slice(0, SHORT_ID)}  ${letter.code}  ${letter.error}`);
    }
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question('Give them up for good? Their bytes cannot be had back. Type yes: ');
  asking.close();
  if (answer.trim() !== 'yes') throw new OperationalError('interrupted', 'Nothing was purged.');
}

interface Page {
  readonly limit: number;
  readonly after?: string;
}

/** Goes from page to page until there is no further one, the limit is reached, or somebody presses Ctrl-C. */
async function pageByPage(
  options: DlqOptions,
  act: (page: Page) => Promise<{ handled: number; next: string | null }>,
): Promise<void> {
  let left = limitOf(options, Number.MAX_SAFE_INTEGER);
  let after: string | null = null;
  let stopping = false;
  const stop = (): void => void (stopping = true);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    do {
      if (stopping)
        throw new OperationalError('interrupted', 'Interrupted. What was reported is done; run it again for the rest.');
      const page: Page = { limit: Math.min(left, LETTERS_A_REQUEST), ...(after === null ? {} : { after }) };
      const { handled, next } = await act(page);
      left -= handled;
      after = next;
    } while (after !== null && left > 0);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** The database that is configured; an embedded one through its service while that runs. */
async function atOffice(
  options: DlqOptions,
  work: (office: DeadLetterOffice, actor: string) => Promise<void>,
): Promise<void> {
  const settings = loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
  const { config, events } = settings;
  const actor = `cli:${userInfo().username}`;
  const serviceUrl = config.database.url === '' ? readDirectoryLock(config.dataDir)?.serviceUrl : null;
  if (serviceUrl != null) return work(new HttpLetterOffice(ownServiceAccess(config, serviceUrl)), actor);
  await withDatabase(settings, 'dlq', async (database) => {
    await refuseOlderSchema(database, settings);
    const nowUs = (): number => Date.now() * 1000;
    await work(new DatabaseLetterOffice({ database, events, quality: config.quality, nowUs }), actor);
  });
}

const print = (answer: object): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
