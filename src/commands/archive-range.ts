/** `--from`, `--to` and `--device` of the commands that take rows from the archive. */
import { checkDeviceId } from '../pipeline/read-record.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { readMoment } from './read-moment.js';

export interface RangeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly device?: readonly string[];
}

/** @throws OperationalError `wrong_usage` */
export function readRange({ from, to }: RangeOptions): { startUs: number; endUs: number } {
  if (from === undefined || to === undefined) throw wrongUsage('give --from and --to');
  const nowUs = Date.now() * 1000;
  const startUs = readMoment('--from', from, -1, nowUs);
  const endUs = readMoment('--to', to, -1, nowUs);
  if (endUs <= startUs) throw wrongUsage('--to is not later than --from; swap them');
  return { startUs, endUs };
}

/** Undefined without the option: all devices. @throws OperationalError `wrong_usage` */
export function readDevices({ device = [] }: RangeOptions): string[] | undefined {
  for (const id of device) {
    const problem = checkDeviceId(id);
    if (problem !== undefined) throw wrongUsage(`--device: ${problem.message}`);
  }
  return device.length === 0 ? undefined : [...new Set(device)];
}

export const wrongUsage = (message: string): OperationalError => new OperationalError('wrong_usage', message);
