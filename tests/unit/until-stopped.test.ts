import { expect, it } from 'vitest';
import { untilStopped } from '../../src/commands/until-stopped.js';
import { recordEvents } from '../support/record-events.js';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

it('leaves nothing behind that keeps the process, even where putting away fails', async () => {
  const before = timers();
  const stopped = untilStopped(recordEvents(), new Promise<never>(() => undefined), () =>
    Promise.reject(new Error('cannot be put away')),
  );
  process.emit('SIGTERM');
  await expect(stopped).rejects.toThrow('put away');
  expect(timers()).toBe(before);
});
