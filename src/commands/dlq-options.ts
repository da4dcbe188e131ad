/** What `downhole dlq` is told on the command line, as the requests that it stands for. */
import type { Corrections, LetterFilter, ReplayRequest } from '../dead-letters/letter-schemas.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { GlobalOptions } from './load-settings.js';

/** As the command line gives them: texts. */
export interface DlqOptions extends GlobalOptions {
  readonly code?: string;
  readonly device?: string;
  readonly since?: string;
  readonly until?: string;
  readonly text?: string;
  readonly state?: string;
  readonly limit?: string;
  readonly groups?: boolean;
  readonly json?: boolean;
  readonly raw?: boolean;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly timeZone?: string;
  readonly timestampUnit?: string;
  readonly unit?: readonly string[];
  readonly setDevice?: string;
  readonly rename?: readonly string[];
  readonly ndjson?: boolean;
}

const STATES = ['new', 'replayed', 'purged', 'all'] as const;

/** What is given and not undefined. */
const present = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

export function filterOf({ code, device, since, until, text }: DlqOptions): LetterFilter {
  return present({ code, device_id: device, since, until, text }) as LetterFilter;
}

/** @throws OperationalError `wrong_usage` */
export function stateOf({ state = 'new' }: DlqOptions): (typeof STATES)[number] {
  const known = STATES.find((candidate) => candidate === state);
  if (known === undefined) throw wrongUsage(`--state ${state} is none of ${STATES.join(', ')}`);
  return known;
}

/** @throws OperationalError `wrong_usage` */
export function limitOf({ limit }: DlqOptions, otherwise: number): number {
  const count = limit === undefined ? otherwise : Number(limit);
  if (Number.isInteger(count) && count > 0) return count;
  if (limit === undefined) return otherwise;
  throw wrongUsage(`--limit ${limit} is no count; write e.g. --limit 100`);
}

/** Which letters are meant, said in exactly one way. @throws OperationalError `wrong_usage` */
export function selectionOf(
  ids: readonly string[],
  options: DlqOptions,
): Pick<ReplayRequest, 'ids' | 'filter' | 'all'> {
  const filter = filterOf(options);
  const isFiltered = Object.keys(filter).length > 0;
  const said = [ids.length > 0, isFiltered, options.all === true].filter(Boolean).length;
  if (said !== 1) {
    throw wrongUsage(
      said === 0
        ? 'Say which letters: ids, a filter (--code, --device, --since, --until, --text), or --all.'
        : 'Say which letters in one way: by ids, by a filter, or --all.',
    );
  }
  const wrong = ids.find((id) => !/^[0-9a-f]{6,64}$/.test(id));
  if (wrong !== undefined) throw wrongUsage(`${wrong} is no id of a letter; write at least its first 6 characters`);
  if (ids.length > 0) return { ids: [...ids] };
  return isFiltered ? { filter } : { all: true };
}

/** @throws OperationalError `wrong_usage` */
export function correctionsOf(options: DlqOptions): Corrections | undefined {
  const { timeZone, timestampUnit, setDevice, ndjson } = options;
  const corrections = present({
    time_zone: timeZone,
    timestamp_unit: timestampUnit,
    device_id: setDevice,
    ndjson,
    units: pairs('--unit', 'channel=unit', options.unit),
    rename: pairs('--rename', 'from=to', options.rename),
  });
  return Object.keys(corrections).length === 0 ? undefined : (corrections as Corrections);
}

function pairs(option: string, form: string, given: readonly string[] = []): Record<string, string> | undefined {
  if (given.length === 0) return undefined;
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) throw wrongUsage(`${option} ${text} is not of the form ${form}`);
      return [name, value];
    }),
  );
}

const wrongUsage = (message: string): OperationalError => new OperationalError('wrong_usage', message);
