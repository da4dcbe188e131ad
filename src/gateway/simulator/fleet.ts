/** A fleet of simulated wells: any number, the same for the same seed. */
import { CHANNEL_COUNT, CHANNELS, type ChannelName } from '../../telemetry/channels.js';
import { formatTimestamp } from '../../telemetry/timestamp.js';
import type { LabelledFault } from './faults/fault-plan.js';
import type { Schedule } from './schedule.js';
import { SimulatedWell, wellSeed } from './simulated-well.js';
import { drawWellParameters } from './well-parameters.js';

/** A record in the simulator's hands. One object is reused for all of them: take what you need before the next. */
export interface SimulatedRecord {
  readonly well: SimulatedWell;
  readonly deviceId: string;
  readonly timestampUs: number;
  /** By catalogue position, canonical units; NaN = no such instrument. */
  readonly values: Float64Array;
}

export interface Fleet {
  readonly wells: readonly SimulatedWell[];
  /** The faults that begin with from ≤ time < to (epoch microseconds), well by well. */
  faults(fromUs: number, toUs: number): LabelledFault[];
  /** The record of one well at an instant (epoch microseconds), or undefined when it is lost. */
  record(index: number, timeUs: number): SimulatedRecord | undefined;
  /** The records of all wells at one instant. */
  step(timeUs: number): IterableIterator<SimulatedRecord>;
  /**
   * All records with from ≤ time < to (epoch microseconds) of a schedule, in time order for each well. Across wells
   * they come in blocks of instants, a well at a time: several times as fast as instant by instant, since the
   * parameters of a thousand wells do not fit into a processor's cache.
   */
  history(schedule: Schedule, fromUs: number, toUs: number): IterableIterator<SimulatedRecord>;
}

/** Fields of a generated fleet; wells are spread over them by pads of eight. */
const FIELDS = ['North Field', 'South Field', 'East Flank', 'Ridge'] as const;
const WELLS_PER_PAD = 8;
/** Instants in a block of history. */
const BLOCK_INSTANTS = 60;

/**
 * Creates wells `esp-001` … of a seed; with the same seed well n is the same well in a fleet of any size.
 * @param options.faultShare of the six-day slots of each well that have a fault; default 0
 */
export function createFleet(options: { wells: number; seed: number; faultShare?: number }): Fleet {
  const wells = Array.from({ length: options.wells }, (_, index) => {
    const seed = wellSeed(options.seed, index);
    const pad = Math.floor(index / WELLS_PER_PAD);
    const field = FIELDS[pad % FIELDS.length] as string;
    const identity = {
      deviceId: `esp-${String(index + 1).padStart(3, '0')}`,
      site: `${field} pad ${Math.floor(pad / FIELDS.length) + 1}`,
      field,
    };
    return new SimulatedWell(identity, seed, drawWellParameters(seed), options.faultShare);
  });
  const shown: { -readonly [K in keyof SimulatedRecord]: SimulatedRecord[K] } = {
    well: wells[0] as SimulatedWell,
    deviceId: '',
    timestampUs: 0,
    values: new Float64Array(0),
  };
  const record = (index: number, timeUs: number): SimulatedRecord | undefined => {
    const well = wells[index];
    if (well === undefined) throw new RangeError(`no well ${index} in a fleet of ${wells.length}`);
    if (!well.read(timeUs)) return undefined;
    shown.well = well;
    shown.deviceId = well.deviceId;
    shown.timestampUs = timeUs;
    shown.values = well.values;
    return shown;
  };
  return {
    wells,
    faults: (fromUs, toUs) => wells.flatMap((well) => well.faultsBetween(fromUs, toUs)),
    record,
    *step(timeUs) {
      for (let index = 0; index < wells.length; index++) {
        const present = record(index, timeUs);
        if (present !== undefined) yield present;
      }
    },
    *history(schedule, fromUs, toUs) {
      const blockUs = BLOCK_INSTANTS * schedule.intervalUs;
      for (let blockFromUs = fromUs; blockFromUs < toUs; blockFromUs += blockUs) {
        const blockToUs = Math.min(blockFromUs + blockUs, toUs);
        for (let index = 0; index < wells.length; index++) {
          for (let at = schedule.next(index, blockFromUs); at < blockToUs; at += schedule.intervalUs) {
            const present = record(index, at);
            if (present !== undefined) yield present;
          }
        }
      }
    },
  };
}

/** A record as it is sent: what `POST /v1/telemetry` takes. */
export type TelemetryRecord = { device_id: string; timestamp: string; source_system: string } & Partial<
  Record<ChannelName, number>
>;

/** The name under which simulated records are stored: never to be mistaken for a real well's. */
export const SIMULATOR_SOURCE = 'simulator';

/** A copy of a record as a plain object. */
export function toTelemetryRecord(record: SimulatedRecord): TelemetryRecord {
  const sent: TelemetryRecord = {
    device_id: record.deviceId,
    timestamp: formatTimestamp(record.timestampUs),
    source_system: SIMULATOR_SOURCE,
  };
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    const value = record.values[index] as number;
    if (!Number.isNaN(value)) sent[(CHANNELS[index] as (typeof CHANNELS)[number]).name] = value;
  }
  return sent;
}
