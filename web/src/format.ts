/** Figures as people read them. Every number on the page goes through here. */
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';

export const NO_VALUE = '–';

/** Decimals that a channel's gauges resolve. */
const DECIMALS: Readonly<Partial<Record<ChannelName, number>>> = {
  temperature: 1,
  vibration: 3,
  pressure: 0,
  flow_rate: 0,
  motor_current: 1,
  rpm: 0,
  intake_pressure: 0,
  discharge_pressure: 0,
  motor_temperature: 1,
  drive_frequency: 1,
  motor_voltage: 0,
  leakage_current: 2,
  casing_pressure: 0,
  vibration_y: 3,
  vibration_z: 3,
};

const formats = new Map<number, Intl.NumberFormat>();

/** A number with a fixed count of decimals and thousands separated. */
export function formatNumber(value: number, decimals = 0): string {
  let format = formats.get(decimals);
  if (format === undefined) {
    format = new Intl.NumberFormat('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  return format.format(value);
}

/** A channel's value without its unit; a value that the usual decimals would hide gets one or two more. */
export function formatValue(channel: ChannelName, value: number | null | undefined): string {
  if (value === null || value === undefined) return NO_VALUE;
  const usual = DECIMALS[channel] ?? 2;
  const size = Math.abs(value);
  const decimals = size > 0 && size < 10 && usual < 2 ? 2 : usual;
  return formatNumber(value, decimals);
}

const UNIT_SIGNS: Readonly<Record<string, string>> = { C: '°C' };

/** The unit of a channel as it is written. */
export function unitOf(channel: ChannelName): string {
  const unit = CHANNELS.find((entry) => entry.name === channel)?.unit ?? '';
  return UNIT_SIGNS[unit] ?? unit;
}

/** A share (0 … 1) in per cent. */
export function formatShare(share: number | null | undefined, decimals = 1): string {
  return share === null || share === undefined ? NO_VALUE : `${formatNumber(share * 100, decimals)} %`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in steps of 1000. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NO_VALUE;
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${formatNumber(value, unit === 0 || value >= 100 ? 0 : 1)} ${BYTE_UNITS[unit]}`;
}

const DURATION_STEPS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** A duration in its largest unit: `45 s`, `12 min`, `3 h`, `8 d`. */
export function formatDuration(seconds: number): string {
  const size = Math.max(0, seconds);
  for (const [unit, length] of DURATION_STEPS) {
    if (size >= length) {
      const value = size / length;
      return `${formatNumber(value, value < 10 && !Number.isInteger(value) && unit !== 's' ? 1 : 0)} ${unit}`;
    }
  }
  return size === 0 ? '0 s' : `${formatNumber(size * 1000)} ms`;
}

/** How long ago, in whole units: `now`, `12 s ago`, `5 y ago`. */
export function formatAge(seconds: number): string {
  if (seconds < 2) return 'now';
  if (seconds < 90) return `${Math.floor(seconds)} s ago`;
  if (seconds < 5400) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 400 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return `${formatNumber(seconds / (365.25 * 86_400), 1)} y ago`;
}

const dateTime = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** Date and time in the browser's zone. */
export function formatDateTime(epochMs: number): string {
  return dateTime.format(epochMs);
}

/** Time of day in the browser's zone. */
export function formatClock(epochMs: number): string {
  return clock.format(epochMs);
}

/** Date and time with the fraction of a second that the reading has. */
export function formatInstant(epochSeconds: number): string {
  const fraction = Math.round((epochSeconds - Math.floor(epochSeconds)) * 1000);
  return (
    formatDateTime(Math.floor(epochSeconds) * 1000) + (fraction === 0 ? '' : `.${String(fraction).padStart(3, '0')}`)
  );
}

/** The browser's zone, said once beside charts and tables. */
export function timeZoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
