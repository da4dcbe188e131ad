/** What a mapping file says about the columns of data files: docs/import.md and examples/skab/mapping.yaml show one. */
import type { ChannelName } from '../../telemetry/channels.js';
import type { TimeReader } from './time-format.js';

/** Where in the mapping file something is said, `mapping.yaml:12:3`; empty when nobody said it. */
type Place = string;

export interface ChannelColumn {
  readonly channel: ChannelName;
  /** As written; undefined = canonical. */
  readonly unit: string | undefined;
  /** A file may do without this column. */
  readonly optional: boolean;
  readonly at: Place;
}

export type DeviceMapping =
  | { readonly from: 'column'; readonly column: string; readonly at: Place }
  | { readonly from: 'constant'; readonly deviceId: string; readonly at: Place }
  | { readonly from: 'fileName'; readonly pattern: RegExp; readonly template: string; readonly at: Place };

export interface Mapping {
  /** The mapping file's name; empty for the mapping without one. */
  readonly file: string;
  /** Column name → channel. */
  readonly columns: ReadonlyMap<string, ChannelColumn>;
  readonly device: DeviceMapping | undefined;
  readonly time: { readonly column: string; readonly read: TimeReader; readonly at: Place };
  /** Fields that every record gets. */
  readonly constants: Readonly<Record<string, string | number>>;
  /** Columns left out on purpose. Any other one is kept as an unknown field. */
  readonly ignore: ReadonlySet<string>;
  /** Texts that mean "no reading". */
  readonly missing: ReadonlySet<string>;
  /** CSV: one character, or undefined to find out from the header. */
  readonly delimiter: string | undefined;
  readonly decimal: '.' | ',';
  readonly encoding: 'utf8' | 'latin1';
  /** Columns have the names of the record's own fields and stand for them (no mapping file). */
  readonly isIdentity: boolean;
}

/** Texts that historians and data frames write where there is no reading. */
export const MISSING_TEXTS: readonly string[] = ['', 'NaN', 'nan', 'null', 'NULL', 'NA', 'N/A', '#N/A'];
