import { defineConfig } from 'vitest/config';
import { BRIEF } from './tests/support/brief.js';

export default defineConfig({
  test: {
    include: ['tests/{unit,contracts,integration,e2e}/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    // Real services start inside these, on machines with two cores that do other things as well.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Each test file may run a database of its own: more at a time only makes all of them slower.
    maxWorkers: 2,
    // What is waited for comes when it comes: the default, a second, is a claim about the speed of the machine.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    execArgv: [...BRIEF],
  },
});
