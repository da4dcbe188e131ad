import { expect, it } from 'vitest';
import { DirectImportTarget } from '../../src/commands/direct-import-target.js';
import type { Platform } from '../../src/commands/open-platform.js';

it('refreshes until no late day is left, however many days a run takes', async () => {
  // What refresh-late says after the most days that a run takes, after its time was up, and when all is done.
  const details = [
    { days: 100, more: true },
    { days: 7, waiting: 93, more: true },
    { days: 93, more: false },
  ];
  let runs = 0;
  const jobs = { runNow: async () => ({ result: 'succeeded', detail: details[runs++] }) };
  await new DirectImportTarget({ jobs } as unknown as Platform).finish();
  expect(runs).toBe(3);
});
