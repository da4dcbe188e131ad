/** Which judgement it was: so that who reads an episode knows whether the same would be found, and called the same, today. */
import { fnv1a } from '../telemetry/fnv1a.js';
import { CHANNEL_DEFAULTS, LEVEL_SHIFT_DEFAULTS } from './detection/level-shift-parameters.js';
import { SIGNATURES } from './diagnosis/signatures.js';

/**
 * `0.1.0+3f9a02c1`: the version of the program, which its rules come with, and a hash of what is data: signatures, parameters of the
 * detectors, and `settings`.
 */
export function judgementVersion(programVersion: string, settings: object): string {
  const data = JSON.stringify([SIGNATURES, CHANNEL_DEFAULTS, LEVEL_SHIFT_DEFAULTS, sorted(settings)]);
  return `${programVersion}+${fnv1a(data).toString(16).padStart(8, '0')}`;
}

const sorted = (settings: object): [string, unknown][] =>
  Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
