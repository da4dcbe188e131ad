// A program for tests: takes the lock of a directory, says `held` or the code of the error, and stays until it is killed.
import { acquireDirectoryLock } from '../../dist/src/storage/directory-lock.js';

const [dataDir, command, serviceUrl] = process.argv.slice(2);
try {
  const lock = await acquireDirectoryLock(dataDir, { command });
  if (serviceUrl !== undefined) lock.setServiceUrl(serviceUrl);
  process.stdout.write('held\n');
  setInterval(() => {}, 1000);
} catch (error) {
  process.stdout.write(`${error.code}\n`);
}
