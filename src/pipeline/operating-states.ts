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
const START_US = 120e6;
const FREQUENCY_STEP_HZ = 1;
const SETTLE_US = 60e6;
const INITIAL_CAPACITY = 1024;

/** Whether the shaft turns: 1, 0, or −1 when none of the signals is there. Frequency decides before speed before current. */
function turning(values: Float32Array, base: number): number {
  const frequency = values[base + FREQUENCY] as number;
  if (frequency === frequency) return frequency > TURNING_FREQUENCY_HZ ? 1 : 0;
  const speed = values[base + SPEED] as number;
  if (speed === speed) return speed > TURNING_SPEED_RPM ? 1 : 0;
  const current = values[base + CURRENT] as number;
  if (current === current) return current > TURNING_CURRENT_A ? 1 : 0;
  return -1;
}

export class OperatingStates {
  #state = new Uint8Array(INITIAL_CAPACITY);
  /** When the present state began (STARTING) or was last disturbed (TRANSIENT), epoch microseconds. */
  #sinceUs = new Float64Array(INITIAL_CAPACITY);
  /** The frequency that counts as steady, Hz; 0 before one is known. */
  #steadyHz = new Float64Array(INITIAL_CAPACITY);

  /** Makes room for devices 0 … count − 1. */
  reserve(count: number): void {
    if (count <= this.#state.length) return;
    const capacity = Math.max(count, this.#state.length * 2);
    this.#state = grown(this.#state, capacity);
    this.#sinceUs = grown(this.#sinceUs, capacity);
    this.#steadyHz = grown(this.#steadyHz, capacity);
  }

  /** The state without memory, for a record older than the device's last: turning or not. */
  static ofLateRecord(values: Float32Array, row: number): OperatingState {
    const turns = turning(values, row * CHANNEL_COUNT);
    return turns < 0 ? OperatingState.unknown : turns === 1 ? OperatingState.running : OperatingState.off;
  }

  /** Moves on by one record (values of row `row`, in time order per device) and returns the state it is in. */
  advance(device: number, timestampUs: number, values: Float32Array, row: number): OperatingState {
    const base = row * CHANNEL_COUNT;
    const turns = turning(values, base);
    const before = this.#state[device] as OperatingState;
    if (turns < 0) return before;
    const frequency = values[base + FREQUENCY] as number;
    const next = turns === 0 ? OperatingState.off : this.#whileTurning(device, before, timestampUs, frequency);
    this.#state[device] = next;
    return next;
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
  snapshot(device: number): { op_state: number; op_since_us: number; op_steady_hz: number } {
    return {
      op_state: this.#state[device] as number,
      op_since_us: this.#sinceUs[device] as number,
      op_steady_hz: this.#steadyHz[device] as number,
    };
  }

  restore(device: number, saved: { op_state: number; op_since_us: number; op_steady_hz: number }): void {
    this.#state[device] = saved.op_state;
    this.#sinceUs[device] = saved.op_since_us;
    this.#steadyHz[device] = saved.op_steady_hz;
  }
}
