/** The columns of the fleet table, and its order. */
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import type { Device } from '../../src/console/api-schemas.js';
import { unitOf } from './format.js';

/** The order in which an operator reads a well: drive, motor, pump, well, gauge. */
const FLEET_CHANNELS: readonly ChannelName[] = [
  'drive_frequency',
  'motor_current',
  'motor_temperature',
  'intake_pressure',
  'discharge_pressure',
  'pressure',
  'flow_rate',
  'temperature',
  'vibration',
];

/** A column of last values of one channel. */
export interface FleetColumn {
  readonly id: ChannelName;
  readonly title: string;
  readonly unit: string;
}

const SHORT_TITLES: Readonly<Partial<Record<ChannelName, string>>> = {
  drive_frequency: 'Frequency',
  motor_current: 'Current',
  motor_temperature: 'Motor temp.',
  intake_pressure: 'Intake',
  discharge_pressure: 'Discharge',
  pressure: 'Wellhead',
  flow_rate: 'Rate',
  temperature: 'Intake temp.',
  vibration: 'Vibration',
};

/** The columns of the channels that at least one well of the fleet reports. */
export function fleetColumns(devices: readonly Device[]): FleetColumn[] {
  const reported = new Set(devices.flatMap((device) => Object.keys(device.values)));
  return FLEET_CHANNELS.filter((name) => reported.has(name)).map((name) => ({
    id: name,
    title: SHORT_TITLES[name] ?? CHANNELS.find((channel) => channel.name === name)?.label ?? name,
    unit: unitOf(name),
  }));
}

export interface FleetOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** `-quality` → descending by quality. */
export function parseOrder(text: string | null): FleetOrder {
  if (text === null || text === '') return { column: 'well', descending: false };
  return text.startsWith('-') ? { column: text.slice(1), descending: true } : { column: text, descending: false };
}

const names = new Intl.Collator('en', { numeric: true });

/** Sorts by a column's key; equal wells stay in the order of their names, wells without a value go last. */
export function sortDevices(
  devices: readonly Device[],
  { descending }: FleetOrder,
  key: (device: Device) => string | number | null,
): Device[] {
  const sign = descending ? -1 : 1;
  return devices
    .map((device) => ({ device, value: key(device) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        if (a.value !== b.value) return a.value === null ? 1 : -1;
      } else if (a.value !== b.value) {
        const order =
          typeof a.value === 'number' && typeof b.value === 'number'
            ? a.value - b.value
            : names.compare(String(a.value), String(b.value));
        if (order !== 0) return order * sign;
      }
      return names.compare(a.device.device_id, b.device.device_id);
    })
    .map(({ device }) => device);
}
