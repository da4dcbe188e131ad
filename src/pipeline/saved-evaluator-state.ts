/** Reads saved statistics of a device: our own, or those of the installed base, which knows mean and deviation only. */
import type { SavedState } from '../storage/device-state.js';
import { OperatingState } from '../telemetry/operating-state.js';
import type { EvaluatorState } from './evaluator.js';

const OWN_FIELDS = ['last_us', 'op_state', 'op_since_us', 'op_steady_hz'] as const;
/** How many values a baseline that does not say so counts as: warm, and it goes on learning at its usual pace. */
const ADOPTED_COUNT = 1e6;

/**
 * The state as the evaluator restores it; undefined where the fields are no statistics of a device. A mean and a
 * deviation that another program has written (`temp_mean`, `temp_std`) are taken over as a baseline that is warm, so
 * that a fleet which moves here is not without a detector for its first hour; `last_us` is −Infinity then.
 */
export function evaluatorStateOf(saved: SavedState): EvaluatorState | undefined {
  if (OWN_FIELDS.every((field) => Number.isFinite(saved[field]))) return saved as unknown as EvaluatorState;
  const { temp_mean: mean, temp_std: std } = saved;
  if (typeof mean !== 'number' || typeof std !== 'number' || !Number.isFinite(mean) || !(std >= 0 && std < Infinity))
    return undefined;
  return {
    last_us: Number.NEGATIVE_INFINITY,
    op_state: OperatingState.unknown,
    op_since_us: 0,
    op_steady_hz: 0,
    temp_mean: mean,
    temp_std: std,
    temp_variance: std * std,
    temp_count: ADOPTED_COUNT,
    temp_time_us: Number.NEGATIVE_INFINITY,
  };
}
