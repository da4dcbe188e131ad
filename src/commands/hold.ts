/** `downhole hold add|list|release`: ranges that retention leaves alone. */
import { checkDeviceId } from '../pipeline/read-record.js';
import type { Hold } from '../storage/holds.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { withAdministration } from './administration.js';
import { loadQuietly, type GlobalOptions } from './load-settings.js';
import { readMoment } from './read-moment.js';
import { textTable } from './text-table.js';

/** As the command line gives them: texts. */
export interface AddHoldOptions extends GlobalOptions {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly device?: string;
  readonly expires?: string;
}

export interface ListHoldsOptions extends GlobalOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

const MAX_REASON_LENGTH = 1000;

/** Makes a hold. @throws OperationalError `wrong_usage`, and those of withAdministration */
export async function addHold(options: AddHoldOptions): Promise<void> {
  const { device, reason } = options;
  const nowUs = Date.now() * 1000;
  const fromUs = readMoment('--from', options.from, -1, nowUs);
  const toUs = readMoment('--to', options.to, -1, nowUs);
  if (toUs <= fromUs) throw wrong('--to is not later than --from; swap them');
  const expiresAtUs = options.expires === undefined ? null : readMoment('--expires', options.expires, 1, nowUs);
  if (expiresAtUs !== null && expiresAtUs <= nowUs) throw wrong('--expires has passed: such a hold would keep nothing');
  const problem = device === undefined ? undefined : checkDeviceId(device);
  if (problem !== undefined) throw wrong(`--device: ${problem.message}`);
  if (reason.trim() === '' || reason.length > MAX_REASON_LENGTH || reason.includes('\u0000'))
    throw wrong(`--reason has 1 to ${MAX_REASON_LENGTH} characters, for whoever finds the hold later`);
  const wanted = { deviceId: device ?? null, fromUs, toUs, reason, expiresAtUs };
  const hold = await withAdministration(loadQuietly(options), 'hold', (admin) => admin.createHold(wanted));
  process.stdout.write(`hold ${hold.id} keeps ${subject(hold)} from ${hold.from} to ${hold.to}, ${until(hold)}\n`);
}

/** Prints the holds in force, newest first; with `all` those of the past too. */
export async function showHolds(options: ListHoldsOptions): Promise<void> {
  const holds = await withAdministration(loadQuietly(options), 'hold', (admin) => admin.listHolds());
  const nowMs = Date.now();
  const shown = options.all === true ? holds : holds.filter((hold) => stateOf(hold, nowMs) === 'in force');
  if (options.json === true) return void process.stdout.write(`${JSON.stringify({ holds: shown }, null, 2)}\n`);
  const head = ['ID', 'DEVICE', 'FROM', 'TO', 'STATE', 'EXPIRES', 'BY', 'REASON'];
  const rows = shown.map((hold) => [
    String(hold.id),
    hold.device_id ?? '(all)',
    hold.from,
    hold.to,
    stateOf(hold, nowMs),
    hold.expires_at ?? 'never',
    hold.created_by,
    hold.reason,
  ]);
  process.stdout.write(textTable([head, ...rows]));
}

/** Leaves a range to retention again. @throws OperationalError `unknown_hold` */
export async function endHold(id: string, options: GlobalOptions): Promise<void> {
  if (!/^[1-9]\d{0,14}$/.test(id)) throw wrong(`${JSON.stringify(id)} is no id; \`downhole hold list\` shows them`);
  const hold = await withAdministration(loadQuietly(options), 'hold', (admin) => admin.releaseHold(Number(id)));
  if (hold === undefined)
    throw new OperationalError(
      'unknown_hold',
      `There is no hold ${id}; \`downhole hold list --all\` shows those that are.`,
    );
  process.stdout.write(`released hold ${hold.id} of ${subject(hold)} at ${hold.released_at ?? ''}\n`);
}

const wrong = (message: string): OperationalError => new OperationalError('wrong_usage', message);
const subject = ({ device_id: device }: Hold): string => (device === null ? 'all devices' : JSON.stringify(device));
const until = ({ expires_at: expires }: Hold): string =>
  expires === null ? 'until it is released' : `until ${expires}`;

function stateOf({ released_at: released, expires_at: expires }: Hold, nowMs: number): string {
  if (released !== null) return `released ${released}`;
  return expires !== null && Date.parse(expires) <= nowMs ? 'expired' : 'in force';
}
