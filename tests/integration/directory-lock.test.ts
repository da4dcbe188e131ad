import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { acquireDirectoryLock, readDirectoryLock, type DirectoryHolder } from '../../src/storage/directory-lock.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const contenderScript = fileURLToPath(new URL('../support/lock-contender.mjs', import.meta.url));

interface Contender {
  readonly process: ChildProcess;
  readonly answer: Promise<string>;
}

function startContender(dataDir: string, ...args: string[]): Contender {
  const child = spawn(process.execPath, [contenderScript, dataDir, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const answer = once(child.stdout, 'data').then(([chunk]) => String(chunk).trim());
  return { process: child, answer };
}

async function kill({ process: child }: Contender): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** The lock as a process has left it that is not this one. */
function leaveLock(dataDir: string, changes: Partial<DirectoryHolder>, number = 1): string {
  const path = join(dataDir, 'lock', `${number}.json`);
  mkdirSync(join(dataDir, 'lock'), { recursive: true });
  const holder = {
    pid: process.pid,
    startTicks: '1',
    scope: '',
    command: 'up',
    since: '2026-11-23T18:00:00.000Z',
    serviceUrl: null,
  };
  writeFileSync(path, JSON.stringify({ ...holder, ...changes }));
  return path;
}

const ownScope = async (): Promise<string> => {
  const dataDir = temporaryDirectory();
  const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
  const scope = readDirectoryLock(dataDir)?.scope ?? '';
  lock.release();
  return scope;
};

describe('the lock of a data directory', () => {
  it('is taken, read and released', async () => {
    const dataDir = join(temporaryDirectory(), 'not', 'there', 'yet');
    expect(readDirectoryLock(dataDir)).toBeUndefined();
    const lock = await acquireDirectoryLock(dataDir, { command: 'up' });
    expect(readDirectoryLock(dataDir)).toMatchObject({ pid: process.pid, command: 'up', serviceUrl: null });
    lock.setServiceUrl('http://127.0.0.1:8080');
    expect(readDirectoryLock(dataDir)?.serviceUrl).toBe('http://127.0.0.1:8080');
    lock.release();
    lock.release();
    expect(readDirectoryLock(dataDir)).toBeUndefined();
    (await acquireDirectoryLock(dataDir, { command: 'import' })).release();
    // One file, however often it was taken.
    expect(readdirSync(join(dataDir, 'lock'))).toHaveLength(1);
  });

  it('says who holds it, and what to do', async () => {
    const dataDir = temporaryDirectory();
    const holder = startContender(dataDir, 'up', 'http://127.0.0.1:8080');
    expect(await holder.answer).toBe('held');
    const call = acquireDirectoryLock(dataDir, { command: 'import' });
    await expect(call).rejects.toMatchObject({ code: 'directory_locked', retryable: true });
    const message = await call.catch((error: Error) => error.message);
    expect(message).toContain(`\`downhole up\` (process ${holder.process.pid}, since 20`);
    expect(message).toContain('Use its API at http://127.0.0.1:8080, or stop it.');
  });

  it('is not given twice to the same process', async () => {
    const dataDir = temporaryDirectory();
    const lock = await acquireDirectoryLock(dataDir, { command: 'up' });
    await expect(acquireDirectoryLock(dataDir, { command: 'up' })).rejects.toMatchObject({ code: 'directory_locked' });
    lock.release();
  });

  it('of a process that was killed is free at once', async () => {
    const dataDir = temporaryDirectory();
    for (let round = 0; round < 2; round++) {
      const holder = startContender(dataDir, 'up');
      expect(await holder.answer).toBe('held');
      await kill(holder);
      expect(readDirectoryLock(dataDir)).toBeUndefined();
    }
    (await acquireDirectoryLock(dataDir, { command: 'up' })).release();
  });

  it('of a process whose number was given to another is free', async () => {
    const dataDir = temporaryDirectory();
    leaveLock(dataDir, { scope: await ownScope(), startTicks: '1' });
    expect(readDirectoryLock(dataDir)).toBeUndefined();
    (await acquireDirectoryLock(dataDir, { command: 'up' })).release();
  });

  it('goes to exactly one of many who find it abandoned at the same moment', async () => {
    for (let round = 0; round < 2; round++) {
      const dataDir = temporaryDirectory();
      leaveLock(dataDir, { scope: await ownScope() }, 7);
      const contenders = Array.from({ length: 6 }, () => startContender(dataDir, 'up'));
      const answers = await Promise.all(contenders.map(({ answer }) => answer));
      expect(answers.filter((answer) => answer === 'held')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'directory_locked')).toHaveLength(5);
      expect(readDirectoryLock(dataDir)?.pid).toBe(contenders[answers.indexOf('held')]?.process.pid);
    }
  });

  it('of another container or machine counts as held while it shows life', async () => {
    const dataDir = temporaryDirectory();
    const path = leaveLock(dataDir, { scope: 'elsewhere', pid: 1 });
    const call = acquireDirectoryLock(dataDir, { command: 'up' });
    await expect(call).rejects.toThrow('in another container or on another machine');
    const aMinuteAgo = new Date(Date.now() - 60_000);
    utimesSync(path, aMinuteAgo, aMinuteAgo);
    (await acquireDirectoryLock(dataDir, { command: 'up' })).release();
  });
});

describe('a data directory', () => {
  it('that is damaged is named, and what to do', async () => {
    const dataDir = temporaryDirectory();
    const path = leaveLock(dataDir, {});
    writeFileSync(path, '');
    await expect(acquireDirectoryLock(dataDir, { command: 'up' })).rejects.toMatchObject({
      code: 'directory_unusable',
      message: expect.stringContaining(path) as string,
    });
  });

  it('carries the version of its layout', async () => {
    const dataDir = temporaryDirectory();
    (await acquireDirectoryLock(dataDir, { command: 'up' })).release();
    expect(JSON.parse(readFileSync(join(dataDir, 'format.json'), 'utf8'))).toEqual({ format: 1 });
  });

  it('of a newer version is refused, untouched', async () => {
    const dataDir = temporaryDirectory();
    writeFileSync(join(dataDir, 'format.json'), '{"format": 2, "more": true}');
    const call = acquireDirectoryLock(dataDir, { command: 'up' });
    await expect(call).rejects.toMatchObject({ code: 'directory_too_new', retryable: false });
    await expect(call).rejects.toThrow('Update downhole');
    expect(existsSync(join(dataDir, 'lock'))).toBe(false);
    expect(readFileSync(join(dataDir, 'format.json'), 'utf8')).toBe('{"format": 2, "more": true}');
  });

  it.each(['', '[]', '{"format": "1"}', '{'])('with a damaged format.json is refused: %j', async (content) => {
    const dataDir = temporaryDirectory();
    writeFileSync(join(dataDir, 'format.json'), content);
    await expect(acquireDirectoryLock(dataDir, { command: 'up' })).rejects.toMatchObject({
      code: 'directory_unusable',
      message: expect.stringContaining('format.json is damaged') as string,
    });
  });

  it.each([
    ['is a file', (base: string) => join(base, 'file'), 'it is not a directory'],
    ['lies below a file', (base: string) => join(base, 'file', 'below'), 'it is not a directory'],
    ['does not take files', () => '/proc/self/fdinfo', 'cannot be used'],
  ])('that %s is refused with a reason', async (_, pathIn, reason) => {
    const base = temporaryDirectory();
    writeFileSync(join(base, 'file'), '');
    const call = acquireDirectoryLock(pathIn(base), { command: 'up' });
    await expect(call).rejects.toMatchObject({ code: 'directory_unusable', retryable: false });
    await expect(call).rejects.toThrow(reason);
  });
});
