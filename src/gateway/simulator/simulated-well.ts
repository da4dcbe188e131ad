/**
 * One simulated well: what its instruments show at an instant. Pure: the same seed and instant give the same
 * readings, whatever was asked before; between calls it only remembers the day it is in.
 */
import { CHANNEL_COUNT, channel, type ChannelName } from '../../telemetry/channels.js';
import { AFTERMATH_US, applyFault, type PumpState } from './faults/fault-effects.js';
import { faultsBetween, labelOf, type LabelledFault, planFault, type PlannedFault } from './faults/fault-plan.js';
import { deliveredRate, pumpHeadPsi, relativeRate, wellheadPsi } from './hydraulics.js';
import { motorCurrentA, relativeTorque, shaftRpm, surfaceVoltageV } from './motor.js';
import { planDay, type DayPlan } from './operating-plan.js';
import { InstantNoise, mix32 } from './random.js';
import { frequencyAt, intakeAt, layOutDay, stateAt, type Segment } from './segments.js';
import type { WellParameters } from './well-parameters.js';

/** Resolution of each channel as gauges and drives have it, and the deviation of its noise, canonical units. */
const INSTRUMENTS: Readonly<Record<ChannelName, { resolution: number; noise: number }>> = {
  temperature: { resolution: 0.1, noise: 0.02 },
  vibration: { resolution: 0.001, noise: 0.0012 },
  pressure: { resolution: 1, noise: 0.3 },
  flow_rate: { resolution: 1, noise: 1.5 },
  motor_current: { resolution: 0.1, noise: 0.06 },
  rpm: { resolution: 1, noise: 0.4 },
  intake_pressure: { resolution: 1, noise: 0.25 },
  discharge_pressure: { resolution: 1, noise: 0.35 },
  motor_temperature: { resolution: 0.1, noise: 0.03 },
  drive_frequency: { resolution: 0.1, noise: 0 },
  motor_voltage: { resolution: 1, noise: 0.5 },
  leakage_current: { resolution: 0.01, noise: 0.002 },
  casing_pressure: { resolution: 1, noise: 0.15 },
  vibration_y: { resolution: 0.001, noise: 0.0012 },
  vibration_z: { resolution: 0.001, noise: 0.0012 },
};

/** Steps per unit, a whole number: rounding by multiplication and division keeps 63.4 at 63.4. */
const STEPS_PER_UNIT = Object.fromEntries(
  Object.entries(INSTRUMENTS).map(([name, { resolution }]) => [name, Math.round(1 / resolution)]),
) as Readonly<Record<ChannelName, number>>;

const POSITION = Object.fromEntries(
  Object.keys(INSTRUMENTS).map((name) => [name, channel(name as ChannelName).index]),
) as Readonly<Record<ChannelName, number>>;

/** Share of records that are lost on the way even when the telemetry works. */
const LOST_RECORDS = 0.0005;
const DRAIN_SECONDS = 600;
const HELD_SHARE = 0.03;

/** Share of the column that still stands in the tubing some seconds after a stop. */
const drained = (seconds: number): number => HELD_SHARE + (1 - HELD_SHARE) * Math.exp(-seconds / DRAIN_SECONDS);

/** Sent up by the gauge: lost together with it. */
const FROM_THE_GAUGE: readonly ChannelName[] = [
  'temperature',
  'vibration',
  'vibration_y',
  'vibration_z',
  'intake_pressure',
  'discharge_pressure',
  'motor_temperature',
  'leakage_current',
];

const DAY_SECONDS = 86_400;
/** How far the static pressure swings within months, as a share of it. */
const RESERVOIR_SWING = 0.015;

/** A sine of this period at an epoch second; the turns are cut off first, since Math.sin is slow far from zero. */
function wave(clock: number, periodSeconds: number, phase: number): number {
  const turns = clock / periodSeconds + phase;
  return Math.sin(2 * Math.PI * (turns - Math.floor(turns)));
}

export class SimulatedWell {
  readonly deviceId: string;
  readonly site: string;
  readonly field: string;
  readonly parameters: WellParameters;
  /** Readings of the last call of `read`, by catalogue position; NaN = the well has no such instrument. */
  readonly values: Float64Array = new Float64Array(CHANNEL_COUNT).fill(Number.NaN);
  readonly #seed: number;
  /** 0 … 1: so that no two wells swing together. */
  readonly #phase: number;
  readonly #swingPsi: number;
  readonly #installed: Uint8Array = new Uint8Array(CHANNEL_COUNT);
  readonly #noise = new InstantNoise();
  #plan: DayPlan | undefined;
  #segments: readonly Segment[] = [];
  #downholeUs = Number.NaN;
  readonly #faultShare: number;
  #fault: PlannedFault | undefined;
  #stuckValue = Number.NaN;
  readonly #pump: PumpState = {
    intakePsi: 0,
    dischargePsi: 0,
    wellheadPsi: 0,
    rate: 0,
    torque: 0,
    motorRiseC: 0,
    vibration: 1,
    vibrationUnrest: 0,
    leakageMa: 0,
  };

  /** @param faultShare of its six-day slots that have a fault; 0 = a well that never fails */
  constructor(
    identity: { deviceId: string; site: string; field: string },
    seed: number,
    parameters: WellParameters,
    faultShare = 0,
  ) {
    this.#faultShare = faultShare;
    this.deviceId = identity.deviceId;
    this.site = identity.site;
    this.field = identity.field;
    this.parameters = parameters;
    this.#seed = seed;
    this.#phase = (seed & 4095) / 4096;
    this.#swingPsi = RESERVOIR_SWING * parameters.staticIntakePsi;
    for (const name of parameters.channels) this.#installed[POSITION[name]] = 1;
  }

  /**
   * Takes the readings of an instant (epoch microseconds, whole milliseconds) into `values`.
   * @returns false when the telemetry of that instant is lost; `values` are then meaningless
   */
  read(timeUs: number): boolean {
    const plan = this.#planAt(timeUs);
    const noise = this.#noise;
    noise.at(this.#seed, Math.round(timeUs / 1000));
    if (noise.uniform() < LOST_RECORDS) return false;
    for (const gap of plan.gaps) if (timeUs >= gap.fromUs && timeUs < gap.toUs) return false;
    const fault = this.#instrumentFaultAt(timeUs);
    if (fault?.channel !== undefined && Number.isNaN(this.#stuckValue)) {
      this.#noteStuckValue(fault, fault.channel);
      noise.at(this.#seed, Math.round(timeUs / 1000));
      noise.uniform(); // which has decided above that this record is not lost
    }
    this.#readSurface(timeUs);
    // A frozen gauge goes on sending what it sent last.
    const isFrozen = fault?.condition === 'gauge_loss' && !fault.isSilent;
    this.#readGauge(isFrozen ? Math.min(timeUs, fault.fromUs) : timeUs, plan.fromUs);
    if (fault?.condition === 'gauge_loss' && fault.isSilent) {
      for (const name of FROM_THE_GAUGE) this.values[POSITION[name]] = Number.NaN;
      this.#downholeUs = Number.NaN;
    }
    if (fault?.channel !== undefined) this.#showStuck(fault.channel);
    return true;
  }

  /** What is going to be wrong with it, as labels. */
  faultsBetween(fromUs: number, toUs: number): LabelledFault[] {
    if (this.#faultShare === 0) return [];
    const faults = faultsBetween(this.#seed, this.parameters, this.#faultShare, fromUs, toUs);
    return faults.filter((fault) => this.#canShow(fault)).map((fault) => labelOf(this.deviceId, fault));
  }

  /** A sensor that the well does not have cannot stick. */
  #canShow({ condition, channel: name }: PlannedFault): boolean {
    if (condition === 'electrical') return this.#installed[POSITION.leakage_current] === 1;
    return name === undefined || this.#installed[POSITION[name]] === 1;
  }

  #readGauge(timeUs: number, dayFromUs: number): void {
    const intervalUs = this.parameters.gaugeIntervalSeconds * 1e6;
    // The gauge's last transmission, which must not reach back into a day that is no longer laid out.
    const downholeUs = Math.max(dayFromUs, Math.floor(timeUs / intervalUs) * intervalUs);
    if (downholeUs === this.#downholeUs) return;
    this.#downholeUs = downholeUs;
    this.#noise.at(this.#seed ^ 0x6a06e, Math.round(downholeUs / 1000));
    this.#readDownhole(downholeUs);
  }

  /** The fault of gauge or sensor that is going on. */
  #instrumentFaultAt(timeUs: number): PlannedFault | undefined {
    const fault = this.#fault;
    if (fault === undefined || timeUs < fault.fromUs || timeUs >= fault.toUs) return undefined;
    return fault.condition === 'gauge_loss' || fault.condition === 'stuck_sensor' ? fault : undefined;
  }

  /** What the sensor showed when it stuck. */
  #noteStuckValue(fault: PlannedFault, name: ChannelName): void {
    this.#noise.at(this.#seed, Math.round(fault.fromUs / 1000));
    this.#readSurface(fault.fromUs);
    this.#readGauge(fault.fromUs, 0);
    this.#stuckValue = this.values[POSITION[name]] as number;
    this.#downholeUs = Number.NaN;
  }

  #showStuck(name: ChannelName): void {
    this.values[POSITION[name]] = this.#stuckValue;
    // The next reading of the gauge is shown from where it stands.
    if (FROM_THE_GAUGE.includes(name)) this.#downholeUs = Number.NaN;
  }

  /** What is wrong with pump or well, if it shows at this time. */
  #applyFault(timeUs: number, { well, settings }: Segment, speed: number): void {
    const fault = this.#fault;
    if (fault === undefined || !settings.running || timeUs < fault.fromUs || timeUs >= fault.toUs + AFTERMATH_US)
      return;
    const clock = timeUs / 1e6;
    applyFault(well, fault, timeUs, this.#pump, {
      speed,
      choke: settings.choke,
      unrest: this.#unrest(clock, 0),
      otherUnrest: this.#unrest(clock, 0.37),
    });
  }

  /** Slugs of gas, grains of sand: from second to second and over minutes, about −1 … 1. */
  #unrest(clock: number, phase: number): number {
    const slow = 0.45 * wave(clock, 47.3, this.#phase + phase) + 0.35 * wave(clock, 11.9, 3 * this.#phase + phase);
    return slow + 0.2 * this.#noise.normal();
  }

  #planAt(timeUs: number): DayPlan {
    let plan = this.#plan;
    if (plan === undefined || timeUs < plan.fromUs || timeUs >= plan.toUs) {
      plan = planDay(this.#seed, this.parameters, timeUs);
      this.#plan = plan;
      this.#segments = layOutDay(this.parameters, plan);
      this.#downholeUs = Number.NaN;
      if (this.#faultShare > 0) this.#fault = planFault(this.#seed, this.parameters, plan.fromUs, this.#faultShare);
      this.#stuckValue = Number.NaN;
    }
    return plan;
  }

  #segmentAt(timeUs: number): Segment {
    const segments = this.#segments;
    let at = segments.length - 1;
    while (at > 0 && (segments[at] as Segment).fromUs > timeUs) at--;
    return segments[at] as Segment;
  }

  /** Drive, wellhead and flow meter. */
  #readSurface(timeUs: number): void {
    const segment = this.#segmentAt(timeUs);
    const { well, settings } = segment;
    const seconds = (timeUs - segment.fromUs) / 1e6;
    const sinceSwitch = (timeUs - segment.switchedUs) / 1e6;
    const frequency = frequencyAt(segment, seconds);
    const speed = frequency / well.ratedFrequencyHz;
    const clock = timeUs / 1e6;
    const intake = intakeAt(segment, seconds) + this.#intakeDriftPsi(clock);
    const rate =
      frequency > 0 ? deliveredRate(well, speed, intake, settings.choke) * (1 + 0.004 * this.#ripple(clock)) : 0;
    const pump = this.#pump;
    pump.intakePsi = intake;
    pump.dischargePsi = intake + pumpHeadPsi(well, rate, speed);
    pump.rate = rate;
    pump.torque = settings.running ? relativeTorque(well, rate, speed) : 0;
    pump.wellheadPsi = wellheadPsi(well, rate, settings.choke);
    this.#applyFault(timeUs, segment, speed);
    if (settings.running) {
      const { torque } = pump;
      const current = motorCurrentA(well, torque, sinceSwitch);
      this.#show('motor_current', current);
      this.#show('rpm', shaftRpm(well, frequency, torque));
      this.#show('motor_voltage', surfaceVoltageV(well, speed, current));
      this.#show('drive_frequency', frequency);
    } else {
      this.#showExactly('motor_current', 0);
      this.#showExactly('rpm', 0);
      this.#showExactly('motor_voltage', 0);
      this.#showExactly('drive_frequency', 0);
    }
    if (pump.rate > 0) this.#show('flow_rate', pump.rate);
    else this.#showExactly('flow_rate', 0);
    this.#show('pressure', pump.wellheadPsi * (1 + 0.002 * this.#ripple(clock + 3)));
    this.#show('casing_pressure', well.casingPsi * (1 + 0.03 * wave(clock, DAY_SECONDS, this.#phase)));
  }

  /** The gauge below the motor, at its own pace. */
  #readDownhole(timeUs: number): void {
    const segment = this.#segmentAt(timeUs);
    const { well, settings } = segment;
    const seconds = (timeUs - segment.fromUs) / 1e6;
    const state = stateAt(segment, seconds);
    const frequency = frequencyAt(segment, seconds);
    const speed = frequency / well.ratedFrequencyHz;
    const clock = timeUs / 1e6;
    const intake = state.intakePsi + this.#intakeDriftPsi(clock);
    const rate = deliveredRate(well, speed, intake, settings.choke);
    // Above a standing pump the tubing drains back through it, but for a remainder that stays above the check valve.
    const lifted = pumpHeadPsi(well, rate, speed);
    const hanging = settings.running
      ? 0
      : (well.columnPsi + well.separatorPsi - intake) * drained(Math.max(0, (timeUs - segment.switchedUs) / 1e6));
    const fluid = well.reservoirTemperatureC + state.gaugeRiseC + 0.15 * wave(clock, 9 * DAY_SECONDS, this.#phase);
    const pump = this.#pump;
    pump.intakePsi = intake;
    pump.dischargePsi = intake + Math.max(lifted, hanging, 0);
    pump.rate = rate;
    pump.motorRiseC = state.motorRiseC;
    pump.vibration = 1;
    pump.vibrationUnrest = 0.03;
    pump.leakageMa = 0;
    this.#applyFault(timeUs, segment, speed);
    this.#show('intake_pressure', pump.intakePsi);
    this.#show('discharge_pressure', pump.dischargePsi);
    this.#show('temperature', fluid + 0.1 * (pump.motorRiseC - state.motorRiseC));
    this.#show('motor_temperature', fluid + pump.motorRiseC);
    const leakage = well.leakageMa * (1 + 0.1 * wave(clock, 13 * DAY_SECONDS, this.#phase));
    this.#show('leakage_current', leakage + pump.leakageMa);
    this.#readVibration(segment, (timeUs - segment.switchedUs) / 1e6, speed, relativeRate(well, rate, speed));
  }

  /** Grows with the square of the speed, away from the best rate, and while a start shakes the string. */
  #readVibration({ well, settings }: Segment, sinceSwitch: number, speed: number, relative: number): void {
    const starting = settings.running && sinceSwitch < 120 ? 1 + 0.8 * Math.exp(-sinceSwitch / 30) : 1;
    const offDesign = relative - 1;
    const level = this.#pump.vibration * speed * speed * (1 + 0.8 * offDesign * offDesign) * starting;
    const unsteady = this.#pump.vibrationUnrest * level;
    this.#show('vibration', well.vibrationG[0] * (level + unsteady * this.#noise.normal()) + 0.002);
    this.#show('vibration_y', well.vibrationG[1] * (level + unsteady * this.#noise.normal()) + 0.002);
    this.#show('vibration_z', well.vibrationG[2] * (level + unsteady * this.#noise.normal()) + 0.002);
  }

  /** What the process itself does within minutes, −1 … 1; incommensurable periods, so that it does not repeat. */
  #ripple(clock: number): number {
    return 0.5 * wave(clock, 199.3, this.#phase) + 0.5 * wave(clock, 1327.1, 2 * this.#phase);
  }

  /** The reservoir's slow swing over months, and the hour's unrest. */
  #intakeDriftPsi(clock: number): number {
    return this.#swingPsi * wave(clock, 170 * DAY_SECONDS, this.#phase) + 1.5 * wave(clock, 7103, this.#phase);
  }

  /** Adds the instrument's noise and rounds to its resolution; nothing reads below what is possible. */
  #show(name: ChannelName, value: number): void {
    const { noise } = INSTRUMENTS[name];
    const drawn = noise === 0 ? value : value + noise * this.#noise.normal();
    this.#showExactly(name, drawn > 0 ? drawn : 0);
  }

  #showExactly(name: ChannelName, value: number): void {
    const position = POSITION[name];
    if (this.#installed[position] === 0) return;
    const steps = STEPS_PER_UNIT[name];
    this.values[position] = Math.round(value * steps) / steps;
  }
}

/** The seed of one well of a fleet. */
export function wellSeed(fleetSeed: number, index: number): number {
  return mix32(fleetSeed, index + 1);
}
