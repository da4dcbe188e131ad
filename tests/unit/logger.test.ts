import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/monitoring/logger.js';

function logged(log: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  log(createLogger('info', { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('createLogger', () => {
  it('writes one JSON object a line, with time and level in words', () => {
    const [line, ...others] = logged((logger) => {
      logger.debug('not this');
      logger.info({ event: 'started' }, 'here');
    });
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: 'info', event: 'started', msg: 'here' });
    expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('masks secrets by name, and passwords of URLs wherever they stand', () => {
    const text = JSON.stringify(
      logged((logger) => {
        logger.info({
          password: 'hunter2',
          database: { password: 'hunter2' },
          request: { headers: { authorization: 'hunter2' } },
        });
        logger.error(
          { err: new Error('cannot reach postgres://ada:hunter2@db:5432/x') },
          'amqps://ada:hunter2@mq failed',
        );
      }),
    );
    expect(text).not.toContain('hunter2');
    expect(text).toContain('postgres://ada:***@db:5432/x');
    expect(text).toContain('amqps://ada:***@mq failed');
  });
});
