/**
 * What each pump is doing, from drive frequency, shaft speed and motor current, whichever are known:
 *
 *            turning                    120 s               |Δf| > 1 Hz
 *     OFF ─────────────► STARTING ─────────────► RUNNING ─────────────► TRANSIENT
 *      ▲                     │                    ▲   │                  │     │
 *      └─────────────────────┴────────────────────┼───┘   60 s steady    │     │
 *      ▲              not turning                 └───────────────────────┘     │
 *      └────────────────────────────────────────────────────────────────────────┘
 *
 * A device first seen turning is RUNNING: it is not known when it started. A record without any of the three
 * signals (a gauge that reports apart from the drive) leaves the state as it is.
 */
import { CHANNEL_COUNT, channel } from '../telemetry/channels.js';
import { OperatingState } from '../telemetry/operating-state.js';
import { grown } from './device-table.js';

const FREQUENCY = channel('drive_frequency').index;
const SPEED = channel('rpm').index;
const CURRENT = channel('motor_current').index;

/** Below these nothing turns; the noise of a standing drive lies under them. */
const TURNING_FREQUENCY_HZ = 1;
const TURNING_SPEED_RPM = 60;
const TURNING_CURRENT_A = 0.5;
/** Where the current alone tells: or below this share of what the pump usually draws. A small motor draws little. */
const TURNING_CURRENT_SHARE = 0.2;
const USUAL_CURRENT_GAIN = 1 / 64;
const START_US = 120e6;
const FREQUENCY_STEP_HZ = 1;
const SETTLE_US = 60e6;
const INITIAL_CAPACITY = 1024;

/**
 * Whether the shaft turns: 1, 0, or −1 when none of the signals is there. Frequency decides before speed before current.
 * @param usualA what the pump usually draws when the current alone tells, A; 0: not known
 */
function turning(values: Float32Array, base: number, usualA: number): number {
  const frequency = values[base + FREQUENCY] as number;
  if (frequency === frequency) return frequency > TURNING_FREQUENCY_HZ ? 1 : 0;
  const speed = values[base + SPEED] as number;
  if (speed === speed) return speed > TURNING_SPEED_RPM ? 1 : 0;
  const current = values[base + CURRENT] as number;
  if (current !== current) return -1;
  const least = usualA === 0 ? TURNING_CURRENT_A : Math.min(TURNING_CURRENT_A, TURNING_CURRENT_SHARE * usualA);
  return current > least ? 1 : 0;
}

/** What is saved of a device. */
export interface SavedOperation {
  readonly op_state: number;
  readonly op_since_us: number;
  readonly op_steady_hz: number;
  /** Absent in what older versions have saved. */
  readonly op_usual_a?: number;
}

export class OperatingStates {
  #state = new Uint8Array(INITIAL_CAPACITY);
  /** When the present state began (STARTING) or was last disturbed (TRANSIENT), epoch microseconds. */
  #sinceUs = new Float64Array(INITIAL_CAPACITY);
  /** The frequency that counts as steady, Hz; 0 before one is known. */
  #steadyHz = new Float64Array(INITIAL_CAPACITY);
  /** What the pump draws while it turns, A, learned where nothing but the current tells that it does; 0 before. */
  #usualA = new Float64Array(INITIAL_CAPACITY);

  /** Makes room for devices 0 … count − 1. */
  reserve(count: number): void {
    if (count <= this.#state.length) return;
    const capacity = Math.max(count, this.#state.length * 2);
    this.#state = grown(this.#state, capacity);
    this.#sinceUs = grown(this.#sinceUs, capacity);
    this.#steadyHz = grown(this.#steadyHz, capacity);
    this.#usualA = grown(this.#usualA, capacity);
  }

  /** The state without memory, for a record older than the device's last: turning or not. */
  static ofLateRecord(values: Float32Array, row: number): OperatingState {
    const turns = turning(values, row * CHANNEL_COUNT, 0);
    return turns < 0 ? OperatingState.unknown : turns === 1 ? OperatingState.running : OperatingState.off;
  }

  /** Moves on by one record (values of row `row`, in time order per device) and returns the state it is in. */
  advance(device: number, timestampUs: number, values: Float32Array, row: number): OperatingState {
    const base = row * CHANNEL_COUNT;
    const turns = turning(values, base, this.#usualA[device] as number);
    const before = this.#state[device] as OperatingState;
    if (turns < 0) return before;
    if (turns === 1) this.#learnCurrent(device, values, base);
    const frequency = values[base + FREQUENCY] as number;
    const next = turns === 0 ? OperatingState.off : this.#whileTurning(device, before, timestampUs, frequency);
    this.#state[device] = next;
    return next;
  }

  #learnCurrent(device: number, values: Float32Array, base: number): void {
    const current = values[base + CURRENT] as number;
    if (current !== current || values[base + FREQUENCY] === values[base + FREQUENCY]) return;
    if (values[base + SPEED] === values[base + SPEED]) return;
    const usual = this.#usualA[device] as number;
    this.#usualA[device] = usual === 0 ? current : usual + USUAL_CURRENT_GAIN * (current - usual);
  }

  #whileTurning(device: number, before: OperatingState, timestampUs: number, frequency: number): OperatingState {
    switch (before) {
      case OperatingState.unknown:
        this.#settle(device, timestampUs, frequency);
        return OperatingState.running;
      case OperatingState.off:
        this.#settle(device, timestampUs, frequency);
        return OperatingState.starting;
      case OperatingState.starting:
        if (timestampUs - (this.#sinceUs[device] as number) < START_US) return OperatingState.starting;
        this.#settle(device, timestampUs, frequency);
        return OperatingState.running;
      case OperatingState.running:
      case OperatingState.transient: {
        if (Math.abs(frequency - (this.#steadyHz[device] as number)) > FREQUENCY_STEP_HZ) {
          this.#settle(device, timestampUs, frequency);
          return OperatingState.transient;
        }
        const settled =
          before === OperatingState.running || timestampUs - (this.#sinceUs[device] as number) >= SETTLE_US;
        return settled ? OperatingState.running : OperatingState.transient;
      }
    }
  }

  #settle(device: number, timestampUs: number, frequency: number): void {
    this.#sinceUs[device] = timestampUs;
    if (frequency === frequency) this.#steadyHz[device] = frequency;
  }

  /** The state to save, as numbers. */
  snapshot(device: number): SavedOperation {
    return {
      op_state: this.#state[device] as number,
      op_since_us: this.#sinceUs[device] as number,
      op_steady_hz: this.#steadyHz[device] as number,
      op_usual_a: this.#usualA[device] as number,
    };
  }

  restore(device: number, saved: SavedOperation): void {
    this.#state[device] = saved.op_state;
    this.#sinceUs[device] = saved.op_since_us;
    this.#steadyHz[device] = saved.op_steady_hz;
    this.#usualA[device] = saved.op_usual_a ?? 0;
  }
}
