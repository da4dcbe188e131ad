/**
 * The channel catalogue: one line a channel. Types, validation, column lists, the API document and the check of
 * the migrations derive from it. A new channel is a line here (at the end: the position is its bit in
 * `quality_flags`) and a migration.
 *
 * Ranges are what is physically possible, in the canonical unit; source: gauge and drive data sheets.
 */
import { type Quantity, unitNames } from './units.js';

interface ChannelDefinition {
  readonly name: string;
  readonly label: string;
  readonly quantity: Quantity;
  readonly unit: string;
  readonly minimum: number;
  readonly maximum: number;
  /** Stem of the aggregate columns (`temp_avg`), as the installed base knows them. */
  readonly stem: string;
}

const DEFINITIONS = [
  {
    name: 'temperature',
    label: 'Intake temperature',
    quantity: 'temperature',
    unit: 'C',
    minimum: -50,
    maximum: 200,
    stem: 'temp',
  },
  { name: 'vibration', label: 'Vibration', quantity: 'acceleration', unit: 'g', minimum: 0, maximum: 50, stem: 'vib' },
  {
    name: 'pressure',
    label: 'Wellhead pressure',
    quantity: 'pressure',
    unit: 'psi',
    minimum: 0,
    maximum: 20_000,
    stem: 'pressure',
  },
  {
    name: 'flow_rate',
    label: 'Liquid rate',
    quantity: 'liquidRate',
    unit: 'bbl/d',
    minimum: 0,
    maximum: 100_000,
    stem: 'flow',
  },
  {
    name: 'motor_current',
    label: 'Motor current',
    quantity: 'current',
    unit: 'A',
    minimum: 0,
    maximum: 1_000,
    stem: 'motor_current',
  },
  { name: 'rpm', label: 'Shaft speed', quantity: 'rotation', unit: 'rpm', minimum: 0, maximum: 10_000, stem: 'rpm' },
  {
    name: 'intake_pressure',
    label: 'Intake pressure',
    quantity: 'pressure',
    unit: 'psi',
    minimum: 0,
    maximum: 20_000,
    stem: 'intake_pressure',
  },
  {
    name: 'discharge_pressure',
    label: 'Discharge pressure',
    quantity: 'pressure',
    unit: 'psi',
    minimum: 0,
    maximum: 20_000,
    stem: 'discharge_pressure',
  },
  {
    name: 'motor_temperature',
    label: 'Motor temperature',
    quantity: 'temperature',
    unit: 'C',
    minimum: -50,
    maximum: 350,
    stem: 'motor_temp',
  },
  {
    name: 'drive_frequency',
    label: 'Drive frequency',
    quantity: 'frequency',
    unit: 'Hz',
    minimum: 0,
    maximum: 400,
    stem: 'drive_frequency',
  },
  {
    name: 'motor_voltage',
    label: 'Motor voltage',
    quantity: 'voltage',
    unit: 'V',
    minimum: 0,
    maximum: 6_000,
    stem: 'motor_voltage',
  },
  {
    name: 'leakage_current',
    label: 'Leakage current',
    quantity: 'leakage',
    unit: 'mA',
    minimum: 0,
    maximum: 100,
    stem: 'leakage_current',
  },
  {
    name: 'casing_pressure',
    label: 'Casing pressure',
    quantity: 'pressure',
    unit: 'psi',
    minimum: 0,
    maximum: 20_000,
    stem: 'casing_pressure',
  },
  {
    name: 'vibration_y',
    label: 'Vibration, y axis',
    quantity: 'acceleration',
    unit: 'g',
    minimum: 0,
    maximum: 50,
    stem: 'vib_y',
  },
  {
    name: 'vibration_z',
    label: 'Vibration, z axis',
    quantity: 'acceleration',
    unit: 'g',
    minimum: 0,
    maximum: 50,
    stem: 'vib_z',
  },
] as const satisfies readonly ChannelDefinition[];

export type ChannelName = (typeof DEFINITIONS)[number]['name'];

export interface Channel extends ChannelDefinition {
  readonly name: ChannelName;
  /** Position in the catalogue, and the channel's bit in the missing and impossible masks. */
  readonly index: number;
  /** Accepted input units, canonical first. */
  readonly acceptedUnits: readonly string[];
  /**
   * How far below zero a reading may lie and still count as zero, in the canonical unit: transducers read
   * slightly below zero at zero. 0.5 % of the range; 0 for channels that may be negative.
   */
  readonly zeroTolerance: number;
}

const ZERO_TOLERANCE_SHARE = 0.005;

export const CHANNELS: readonly Channel[] = DEFINITIONS.map((definition, index) => ({
  ...definition,
  index,
  acceptedUnits: unitNames(definition.quantity),
  zeroTolerance: definition.minimum === 0 ? definition.maximum * ZERO_TOLERANCE_SHARE : 0,
}));

export const CHANNEL_COUNT = CHANNELS.length;
export const CHANNEL_NAMES: readonly ChannelName[] = CHANNELS.map((channel) => channel.name);

const INDEX_BY_NAME: ReadonlyMap<string, number> = new Map(CHANNELS.map((channel) => [channel.name, channel.index]));

/** The catalogue position of a channel name, or undefined when there is no such channel. */
export function channelIndex(name: string): number | undefined {
  return INDEX_BY_NAME.get(name);
}

/** The channel of this name; throws for a name that is not in the catalogue (a programming error). */
export function channel(name: ChannelName): Channel {
  return CHANNELS[INDEX_BY_NAME.get(name) as number] as Channel;
}

/** Bit mask (bit = catalogue position) of some channels. */
export function channelMask(names: Iterable<ChannelName>): number {
  let mask = 0;
  for (const name of names) mask |= 1 << channel(name).index;
  return mask;
}

/** The channels whose bits are set in a mask, in catalogue order. */
export function channelsInMask(mask: number): ChannelName[] {
  return CHANNEL_NAMES.filter((_, index) => (mask & (1 << index)) !== 0);
}
