import type { ZoneOffset } from './timestamp.js';

/** Seconds east of UTC of an IANA zone at an epoch second. */
function zoneOffsetAt(format: Intl.DateTimeFormat, epochSeconds: number): number {
  const parts: Record<string, number> = {};
  for (const part of format.formatToParts(epochSeconds * 1000)) parts[part.type] = Number(part.value);
  const asUtc = Date.UTC(
    parts['year'] as number,
    (parts['month'] as number) - 1,
    parts['day'],
    (parts['hour'] as number) % 24,
    parts['minute'],
    parts['second'],
  );
  return Math.round(asUtc / 1000) - epochSeconds;
}

/**
 * The offset function of `UTC`, a fixed offset (`+03:00`) or an IANA zone (`America/Chicago`); undefined for an
 * unknown name. At the end of daylight saving time the earlier of the two instants is meant, as in RFC 5545.
 */
export function zoneOffset(name: string): ZoneOffset | undefined {
  if (name === 'UTC' || name === 'Z') return () => 0;
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(name);
  if (fixed !== null) {
    const seconds = Number(fixed[2]) * 3600 + Number(fixed[3]) * 60;
    return () => (fixed[1] === '-' ? -seconds : seconds);
  }
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return (wallClockSeconds) => {
    const dayBefore = zoneOffsetAt(format, wallClockSeconds - 86_400);
    // The offset in force before a change wins where the wall clock shows an hour twice.
    if (zoneOffsetAt(format, wallClockSeconds - dayBefore) === dayBefore) return dayBefore;
    return zoneOffsetAt(format, wallClockSeconds - zoneOffsetAt(format, wallClockSeconds));
  };
}
