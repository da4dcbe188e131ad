import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceOfFile } from '../../src/gateway/import/map-row.js';
import { readMapping } from '../../src/gateway/import/read-mapping.js';
import { carriesOffset, createTimeReader, NativeTimestamp } from '../../src/gateway/import/time-format.js';
import { formatTimestamp } from '../../src/telemetry/timestamp.js';
import { zoneOffset } from '../../src/telemetry/time-zone.js';

const utc = zoneOffset('UTC');
const skabFile = fileURLToPath(new URL('../../examples/skab/mapping.yaml', import.meta.url));

/** The message of the refusal, line by line. */
function problemsOf(text: string): string[] {
  try {
    readMapping(text, 'm.yaml');
  } catch (error) {
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

const MINIMAL = 'time: {column: t, format: rfc3339}\ncolumns: {A: {channel: motor_current}}\n';

describe('a mapping file', () => {
  it('of the pump data says what is which channel, in which unit', () => {
    const mapping = readMapping(readFileSync(skabFile, 'utf8'), 'mapping.yaml');
    expect([...mapping.columns].map(([name, { channel, unit }]) => [name, channel, unit])).toEqual([
      ['Accelerometer1RMS', 'vibration', 'g'],
      ['Accelerometer2RMS', 'vibration_y', 'g'],
      ['Current', 'motor_current', 'A'],
      ['Pressure', 'pressure', 'bar'],
      ['Temperature', 'motor_temperature', 'C'],
      ['Thermocouple', 'temperature', 'C'],
      ['Voltage', 'motor_voltage', 'V'],
      ['Volume Flow RateRMS', 'flow_rate', 'l/min'],
    ]);
    expect(mapping.time.read('2020-03-09 10:14:33')).toBe(Date.UTC(2020, 2, 9, 10, 14, 33) * 1000);
    expect([...mapping.ignore]).toEqual(['anomaly', 'changepoint']);
    expect(mapping.constants).toEqual({ source_system: 'skab' });
  });

  it.each([
    ['/somewhere/valve1/0.csv', 'skab-valve1-0'],
    ['/somewhere/valve2/0.csv', 'skab-valve2-0'],
    ['/somewhere/other/11.csv', 'skab-other-11'],
    ['/somewhere/anomaly-free/anomaly-free-1.csv', 'skab-anomaly-free-1'],
    ['C:\\data\\valve1\\14.csv', 'skab-valve1-14'],
  ])('names the device of %s', (path, deviceId) => {
    expect(deviceOfFile(path, readMapping(readFileSync(skabFile, 'utf8'), 'mapping.yaml').device)).toBe(deviceId);
  });

  it('may be short', () => {
    const mapping = readMapping('time: {column: t}\ncolumns: {A: motor_current}\n', 'm.yaml');
    expect(mapping.columns.get('A')).toMatchObject({ channel: 'motor_current', unit: undefined, optional: false });
    expect(mapping.delimiter).toBeUndefined();
    expect(mapping.decimal).toBe('.');
  });

  it('understands delimiters by name, a decimal comma, optional columns and texts that mean nothing', () => {
    const text = `${MINIMAL}delimiter: tab\ndecimal: ','\nencoding: latin1\nmissing: ['', '-999']\n`;
    const mapping = readMapping(text.replace('motor_current}', 'motor_current, optional: true}'), 'm.yaml');
    expect(mapping).toMatchObject({ delimiter: '\t', decimal: ',', encoding: 'latin1' });
    expect(mapping.missing).toEqual(new Set(['', '-999']));
    expect(mapping.columns.get('A')?.optional).toBe(true);
  });

  it.each([
    ['', 'm.yaml:1:1: the file has no keys; a mapping has at least columns and time'],
    ['time: {column: t}\n', 'm.yaml:1:1: columns is missing; say which columns are which channels'],
    [`${MINIMAL}colour: red\n`, 'm.yaml:3:1: colour is not known here; there are columns, device, time'],
    [MINIMAL.replace('motor_current', 'amps'), 'm.yaml:2:15: there is no channel "amps"; the channels are temperature'],
    [
      MINIMAL.replace('motor_current', 'vibration, unit: in/s'),
      'm.yaml:2:35: "in/s" is not a unit of vibration (acceleration); accepted: g, m/s2',
    ],
    [MINIMAL.replace('{channel: motor_current}', '{unit: A}'), 'm.yaml:2:11: column A names no channel'],
    [
      MINIMAL.replace('}}', '}, B: {channel: motor_current}}'),
      'm.yaml:2:40: motor_current is mapped twice, from A and B',
    ],
    [MINIMAL.replace('rfc3339', 'yyyy-MM-dd HH:mm'), 'm.yaml:1:1: times written as yyyy-MM-dd HH:mm have no offset'],
    [MINIMAL.replace('rfc3339', 'stardate'), 'm.yaml:1:19: "stardate" is no time format; there are rfc3339, epoch-s'],
    [MINIMAL.replace('rfc3339', 'rfc3339, zone: Mars/Olympus'), 'm.yaml:1:36: "Mars/Olympus" is no zone'],
    [`${MINIMAL}device: {column: a, constant: b}\n`, 'm.yaml:3:1: device has more than one of'],
    [`${MINIMAL}device: {fromFileName: {pattern: '('}}\n`, 'm.yaml:3:25: pattern is not a regular expression'],
    [`${MINIMAL}delimiter: ab\n`, 'm.yaml:3:1: delimiter is "ab"; it is one character'],
    [`${MINIMAL}delimiter: ','\ndecimal: ','\n`, 'm.yaml:4:1: decimal and delimiter are both a comma'],
    [`${MINIMAL}ignore: [A]\n`, 'm.yaml:2:11: column A is mapped and ignored; decide'],
    [`${MINIMAL}constants: {device_id: x}\n`, 'm.yaml:3:13: device_id is no constant; use device and time'],
    [`${MINIMAL}ignore: {a: b}\n`, 'm.yaml:3:1: ignore is not a list of texts'],
    ['time: [\n', 'm.yaml:2:1: '],
    [`${MINIMAL}time: {column: u}\n`, 'm.yaml:3:1: Map keys must be unique'],
  ])('is refused with place and remedy: %j', (text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
  });

  it('is told all of its problems at once', () => {
    expect(problemsOf('time: {column: t, format: x}\ncolumns: {A: nothing, B: neither}\nfoo: 1\n')).toHaveLength(4);
  });

  it('never fails otherwise, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          readMapping(text, 'm.yaml');
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_configuration' });
        }
      }),
    );
  });
});

describe('a time format', () => {
  const read = (format: string, cell: unknown, zone = utc): string | undefined => {
    const micros = createTimeReader(format, zone)?.(cell);
    return micros === undefined ? undefined : formatTimestamp(micros);
  };

  it.each([
    ['yyyy-MM-dd HH:mm:ss', '2020-03-09 10:14:33', '2020-03-09T10:14:33Z'],
    ['yyyy-MM-dd HH:mm:ss.SSS', '2020-03-09 10:14:33.5', '2020-03-09T10:14:33.500000Z'],
    ['dd.MM.yyyy HH:mm', '09.03.2020 10:14', '2020-03-09T10:14:00Z'],
    ['M/d/yyyy h:mm:ss a', '3/9/2020 12:05:00 AM', '2020-03-09T00:05:00Z'],
    ['M/d/yyyy h:mm:ss a', '3/9/2020 1:05:00 pm', '2020-03-09T13:05:00Z'],
    ["yyyyMMdd'T'HHmmssXXX", '20200309T101433+01:00', '2020-03-09T09:14:33Z'],
    ['dd/MM/yy', '09/03/20', '2020-03-09T00:00:00Z'],
    ['yyyyMMddHHmmss', 20200309101433, '2020-03-09T10:14:33Z'],
    ['rfc3339', ' 2020-03-09T10:14:33.672341+01:00 ', '2020-03-09T09:14:33.672341Z'],
    ['epoch-s', '1583748873', '2020-03-09T10:14:33Z'],
    ['epoch-s', '1583748873.25', '2020-03-09T10:14:33.250000Z'],
    ['epoch-ms', 1583748873001, '2020-03-09T10:14:33.001000Z'],
    ['epoch-us', 1583748873000001n, '2020-03-09T10:14:33.000001Z'],
    ['epoch-ns', '1583748873672341999', '2020-03-09T10:14:33.672341Z'],
    ['epoch-ns', -1n, '1969-12-31T23:59:59.999999Z'],
    ['epoch-s', new NativeTimestamp(1), '1970-01-01T00:00:00.000001Z'],
  ])('%s reads %s', (format, cell, instant) => {
    expect(read(format, cell)).toBe(instant);
  });

  it.each([
    ['yyyy-MM-dd HH:mm:ss', '2020-13-09 10:14:33'],
    ['yyyy-MM-dd HH:mm:ss', '2020-02-30 10:14:33'],
    ['yyyy-MM-dd HH:mm:ss', '2020-03-09 24:14:33'],
    ['yyyy-MM-dd HH:mm:ss', '2020-03-09 10:14:33 and more'],
    ['M/d/yyyy h:mm a', '3/9/2020 13:05 PM'],
    ['epoch-s', 'yesterday'],
    ['epoch-s', ''],
    ['rfc3339', 17],
    ['rfc3339', null],
  ])('%s does not read %s', (format, cell) => {
    expect(read(format, cell)).toBeUndefined();
  });

  it('takes naive times for the mapped zone', () => {
    expect(read('yyyy-MM-dd HH:mm', '2020-07-01 12:00', zoneOffset('America/Chicago'))).toBe('2020-07-01T17:00:00Z');
    expect(createTimeReader('rfc3339', undefined)?.('2020-07-01 12:00:00')).toBeUndefined();
  });

  it('is refused where a letter means nothing, a part is missing, or comes twice', () => {
    for (const format of ['yyyy-MM', 'QQQ', 'HH:mm', 'yyyy-MM-dd hh:mm', 'yyyy-MM-dd MM', ''])
      expect(createTimeReader(format, utc)).toBeUndefined();
  });

  it('knows whether it needs a zone', () => {
    expect(['rfc3339', 'epoch-ms', 'yyyy-MM-dd HH:mmXXX'].map(carriesOffset)).toEqual([true, true, true]);
    expect(carriesOffset('yyyy-MM-dd HH:mm')).toBe(false);
  });
});
