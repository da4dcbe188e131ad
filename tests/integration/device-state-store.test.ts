import { DatabaseDeviceStateStore } from '../../src/storage/device-state-store.js';
import { deviceStateContract } from '../contracts/device-state.js';
import { startPostgres } from '../support/postgres.js';
import { openPlainTarget } from '../support/storage-targets.js';

deviceStateContract('table of the database', async () => {
  const server = await startPostgres();
  const target = await openPlainTarget(server);
  return {
    store: new DatabaseDeviceStateStore(target.database),
    reopen: async () => Promise.resolve(new DatabaseDeviceStateStore(target.database)),
    dispose: async () => {
      await target.remove();
      await server.remove();
    },
  };
});
