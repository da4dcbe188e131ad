import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveredRate, pumpHeadPsi, settledIntakePsi } from '../../src/gateway/simulator/hydraulics.js';
import { planDay } from '../../src/gateway/simulator/operating-plan.js';
import { motorCurrentA, relativeTorque, shaftRpm } from '../../src/gateway/simulator/motor.js';
import { createFleet, toTelemetryRecord, type SimulatedRecord } from '../../src/gateway/simulator/fleet.js';
import { NdjsonEncoder } from '../../src/gateway/simulator/ndjson-encoder.js';
import { createSchedule } from '../../src/gateway/simulator/schedule.js';
import { wellSeed } from '../../src/gateway/simulator/simulated-well.js';
import { drawWellParameters } from '../../src/gateway/simulator/well-parameters.js';
import { channel, CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';

const START_US = Date.UTC(2026, 10, 23) * 1000;
const MINUTE_US = 60e6;
const DAY_US = 86_400e6;

const seeds = fc.integer({ min: 0, max: 0xffff_ffff });
const value = (record: SimulatedRecord, name: ChannelName): number => record.values[channel(name).index] as number;

describe('the hydraulics of a well', () => {
  it('follow the affinity laws: at a speed r times as high, r times the rate meets r² times the head', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.double({ min: 0, max: 1.4, noNaN: true }),
        fc.double({ min: 0.5, max: 1.2, noNaN: true }),
        (seed, relative, ratio) => {
          const well = drawWellParameters(seed);
          const rate = relative * well.designRate;
          const head = pumpHeadPsi(well, rate, 1);
          expect(pumpHeadPsi(well, rate * ratio, ratio)).toBeCloseTo(head * ratio ** 2, 6);
          const power = relativeTorque(well, rate, 1);
          expect(relativeTorque(well, rate * ratio, ratio) * ratio).toBeCloseTo(power * ratio ** 3, 9);
        },
      ),
    );
  });

  it('settle where the reservoir gives what the pump takes and the head lifts it', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.double({ min: 0.85, max: 1.15, noNaN: true }),
        fc.double({ min: 0.8, max: 3, noNaN: true }),
        (seed, speed, choke) => {
          const well = drawWellParameters(seed);
          const intake = settledIntakePsi(well, speed, choke);
          const rate = deliveredRate(well, speed, intake, choke);
          expect(rate).toBeGreaterThan(0);
          expect(well.productivityIndex * (well.staticIntakePsi - intake)).toBeCloseTo(rate, 3);
          const relative = rate / well.designRate;
          const demanded =
            well.columnPsi + well.separatorPsi + (well.frictionPsi + well.chokePsi * choke) * relative ** 2 - intake;
          expect(pumpHeadPsi(well, rate, speed)).toBeCloseTo(demanded, 3);
        },
      ),
    );
  });

  it('deliver more at a higher frequency, less behind a closed choke, nothing below the speed that lifts the column', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const well = drawWellParameters(seed);
        const rateAt = (speed: number, choke = 1): number =>
          deliveredRate(well, speed, settledIntakePsi(well, speed, choke), choke);
        expect(rateAt(1)).toBeCloseTo(well.designRate, 3);
        expect(rateAt(1.05)).toBeGreaterThan(rateAt(1));
        expect(rateAt(1, 2)).toBeLessThan(rateAt(1));
        expect(rateAt(0.2)).toBe(0);
      }),
    );
  });

  it('load the motor: rated current at rated torque, three times that at most in a start, less speed by slip', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: 0, max: 200, noNaN: true }), (seed, seconds) => {
        const well = drawWellParameters(seed);
        expect(motorCurrentA(well, 1, Infinity)).toBeCloseTo(well.ratedCurrentA, 6);
        const starting = motorCurrentA(well, 1, seconds);
        expect(starting).toBeGreaterThanOrEqual(well.ratedCurrentA * (1 - 1e-9));
        expect(starting).toBeLessThanOrEqual(3 * well.ratedCurrentA);
        expect(shaftRpm(well, 60, 1)).toBeLessThan(3600);
        expect(shaftRpm(well, 60, 1)).toBeGreaterThan(3400);
      }),
    );
  });
});

describe('a fleet over thirty days', () => {
  const fleet = createFleet({ wells: 25, seed: 7 });
  const schedule = createSchedule(25, 300);

  it('shows nothing impossible, and zero current, speed and flow exactly where the frequency is zero', () => {
    const seen = { running: 0, stopped: 0 };
    const offences: string[] = [];
    for (const record of fleet.history(schedule, START_US, START_US + 30 * DAY_US)) {
      for (const { name, index, minimum, maximum } of CHANNELS) {
        const shown = record.values[index] as number;
        if (shown < minimum || shown > maximum) offences.push(`${record.deviceId} ${name} ${shown}`);
      }
      const isStopped = value(record, 'drive_frequency') === 0;
      seen[isStopped ? 'stopped' : 'running']++;
      for (const name of ['motor_current', 'rpm', 'motor_voltage'] as const)
        if ((value(record, name) === 0) !== isStopped) offences.push(`${record.deviceId} ${name} while ${isStopped}`);
      if (isStopped && value(record, 'flow_rate') > 0) offences.push(`${record.deviceId} flows while stopped`);
      if (value(record, 'discharge_pressure') < value(record, 'intake_pressure'))
        offences.push(`${record.deviceId} discharge below intake`);
      if (value(record, 'motor_temperature') < value(record, 'temperature') - 1)
        offences.push(`${record.deviceId} winding colder than the fluid`);
    }
    expect(offences).toEqual([]);
    expect(seen.running).toBeGreaterThan(200_000);
    expect(seen.stopped).toBeGreaterThan(100);
  });

  it('loses some telemetry', () => {
    let records = 0;
    for (const _ of fleet.history(schedule, START_US, START_US + 30 * DAY_US)) records++;
    const scheduled = 25 * 30 * 288;
    expect(records).toBeLessThan(scheduled);
    expect(records).toBeGreaterThan(0.98 * scheduled);
  });

  it('has wells that differ in rating and instruments', () => {
    const frequencies = new Set(fleet.wells.map((well) => well.parameters.ratedFrequencyHz));
    const instruments = new Set(fleet.wells.map((well) => well.parameters.channels.join()));
    expect(frequencies).toEqual(new Set([50, 60]));
    expect(instruments.size).toBeGreaterThan(3);
    expect(new Set(fleet.wells.map((well) => well.parameters.ratedCurrentA)).size).toBe(25);
    expect(fleet.wells[0]?.deviceId).toBe('esp-001');
  });
});

describe('a stop and a start', () => {
  // A well that was tripped and started again within the day.
  const found = findTrip();
  const { record } = createFleet({ wells: found.index + 1, seed: 7 });
  const at = (us: number): SimulatedRecord => {
    // Single records may be lost; the next second's is as good.
    for (let second = 0; ; second++) {
      const shown = record(found.index, us + second * 1e6);
      if (shown !== undefined) return { ...shown, values: Float64Array.from(shown.values) };
    }
  };

  it('let the intake pressure rise towards the static one and the motor cool', () => {
    const before = at(found.stopUs - MINUTE_US);
    const after = at(found.startUs - MINUTE_US);
    expect(value(after, 'intake_pressure')).toBeGreaterThan(value(before, 'intake_pressure') + 20);
    expect(value(after, 'motor_temperature')).toBeLessThan(value(before, 'motor_temperature') - 1);
    expect(value(after, 'drive_frequency')).toBe(0);
    expect(value(before, 'drive_frequency')).toBeGreaterThan(30);
  });

  it('begin with more than the settled current and end at it', () => {
    const well = createFleet({ wells: found.index + 1, seed: 7 }).wells[found.index]?.parameters;
    const settled = value(at(found.startUs + 30 * MINUTE_US), 'motor_current');
    const highest = Math.max(
      ...Array.from({ length: 120 }, (_, second) => value(at(found.startUs + second * 1e6), 'motor_current')),
    );
    expect(highest).toBeGreaterThan(settled * 1.1);
    expect(highest).toBeLessThanOrEqual(3 * (well?.ratedCurrentA ?? 0) + 1);
  });
});

function findTrip(): { index: number; stopUs: number; startUs: number } {
  for (let index = 0; index < 200; index++) {
    const seed = wellSeed(7, index);
    const plan = planDay(seed, drawWellParameters(seed), START_US);
    const stop = plan.operations.findIndex(({ settings }) => !settings.running);
    const [stopped, started] = plan.operations.slice(stop);
    const long = stopped !== undefined && started !== undefined && started.atUs - stopped.atUs > 40 * MINUTE_US;
    const seen = plan.gaps.length === 0 && plan.initial.running && started?.settings.running === true;
    if (stop >= 0 && long && seen) return { index, stopUs: stopped.atUs, startUs: started.atUs };
  }
  throw new Error('no well of 200 is tripped on that day');
}

describe('determinism', () => {
  const copy = (record: SimulatedRecord | undefined): string =>
    record === undefined ? 'lost' : JSON.stringify(toTelemetryRecord(record));

  it('a record is a function of seed, well and instant, whatever was asked before', () => {
    const straight = createFleet({ wells: 6, seed: 3 });
    const expected = new Map<string, string>();
    for (let minute = 0; minute < 3000; minute += 7)
      for (let well = 0; well < 6; well++)
        expected.set(`${minute} ${well}`, copy(straight.record(well, START_US + minute * MINUTE_US)));
    const backwards = createFleet({ wells: 40, seed: 3 });
    for (const [key, text] of [...expected].reverse()) {
      const [minute, well] = key.split(' ').map(Number) as [number, number];
      expect(copy(backwards.record(well, START_US + minute * MINUTE_US))).toBe(text);
    }
  });

  it('another seed is another fleet', () => {
    const [one, other] = [1, 2].map((seed) => copy(createFleet({ wells: 1, seed }).record(0, START_US)));
    expect(one).not.toBe(other);
  });

  it('a day ends as the next begins', () => {
    const fleet = createFleet({ wells: 20, seed: 11 });
    for (const well of fleet.wells) {
      const seed = wellSeed(11, fleet.wells.indexOf(well));
      const { toUs } = planDay(seed, well.parameters, START_US);
      const [before, after] = [toUs - 30e6, toUs + 30e6].map((at) =>
        well.read(at) ? Float64Array.from(well.values) : undefined,
      );
      if (before === undefined || after === undefined) continue;
      for (const name of ['intake_pressure', 'motor_temperature', 'temperature', 'drive_frequency'] as const) {
        const index = channel(name).index;
        const tolerance = name === 'intake_pressure' ? 3 : 0.3;
        expect(Math.abs((after[index] as number) - (before[index] as number))).toBeLessThan(tolerance);
      }
    }
  });

  it('step, record and history agree', () => {
    const fleet = createFleet({ wells: 9, seed: 5 });
    const schedule = createSchedule(9, 60);
    const fromHistory = [...fleet.history(schedule, START_US, START_US + 3 * MINUTE_US * 60)].length;
    expect(fromHistory).toBeGreaterThan(9 * 180 * 0.9);
    const stepped = new Map([...fleet.step(START_US)].map((record) => [record.deviceId, copy(record)]));
    for (const [deviceId, text] of stepped)
      expect(copy(fleet.record(Number(deviceId.slice(4)) - 1, START_US))).toBe(text);
  });
});

describe('the schedule', () => {
  it('gives each well its own phase, on a grid that does not depend on the start', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 900 }),
        fc.nat(1e9),
        (wells, intervalSeconds, laterMs) => {
          const schedule = createSchedule(wells, intervalSeconds);
          const index = wells - 1;
          const first = schedule.next(index, START_US);
          expect(first).toBeGreaterThanOrEqual(START_US);
          expect(first - START_US).toBeLessThan(schedule.intervalUs);
          const later = schedule.next(index, START_US + laterMs * 1000);
          expect((later - first) % schedule.intervalUs).toBe(0);
          expect(schedule.next(index, later)).toBe(later);
        },
      ),
    );
  });

  it('spreads a second of 5000 wells evenly', () => {
    const schedule = createSchedule(5000, 1);
    const perTenth = new Array<number>(10).fill(0);
    for (let index = 0; index < 5000; index++) {
      const tenth = Math.floor((schedule.next(index, START_US) - START_US) / 100_000);
      perTenth[tenth] = (perTenth[tenth] as number) + 1;
    }
    expect(perTenth).toEqual(new Array(10).fill(500));
  });
});

describe('the NDJSON encoder', () => {
  it('writes what JSON.stringify would', () => {
    const fleet = createFleet({ wells: 50, seed: 9 });
    const encoder = new NdjsonEncoder(1000);
    const expected: unknown[] = [];
    for (const atUs of [START_US, START_US + 7 * 3600e6 + 45_000])
      for (const record of fleet.step(atUs)) {
        encoder.add(record);
        expected.push(toTelemetryRecord(record));
      }
    const lines = Buffer.from(encoder.body()).toString().trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as { timestamp: string });
    // Whole milliseconds are written with three digits here and with six there.
    expect(parsed.map((record) => ({ ...record, timestamp: Date.parse(record.timestamp) }))).toEqual(
      (expected as { timestamp: string }[]).map((record) => ({ ...record, timestamp: Date.parse(record.timestamp) })),
    );
    encoder.clear();
    expect(encoder.body()).toHaveLength(0);
  });
});
