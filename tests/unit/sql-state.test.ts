import { describe, expect, it } from 'vitest';
import { failureKind, isConnectionFailure, sqlStateOf, toDatabaseError } from '../../src/storage/sql-state.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

const failure = (fields: Record<string, string>): Error => Object.assign(new Error('no'), fields);
const refused = (code: string): Error => failure({ code, severity: 'ERROR' });

describe('what an SQLSTATE means', () => {
  it.each([
    ['40001', 'transient'],
    ['40P01', 'transient'],
    ['53300', 'transient'],
    ['53100', 'transient'],
    ['55P03', 'transient'],
    ['57014', 'transient'],
    ['57P01', 'transient'],
    ['25006', 'transient'],
    ['08006', 'transient'],
    ['08P01', 'permanent'],
    ['57P04', 'permanent'],
    ['42P01', 'permanent'],
    ['25P02', 'permanent'],
    ['28P01', 'permanent'],
    ['XX000', 'permanent'],
    ['22003', 'data'],
    ['23505', 'data'],
    ['23514', 'data'],
  ])('%s is %s', (sqlState, kind) => {
    expect(failureKind(sqlState)).toBe(kind);
    const error = toDatabaseError(refused(sqlState));
    expect(error).toMatchObject({ retryable: kind === 'transient' });
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])('%s may pass', (code) => {
    expect(isConnectionFailure(failure({ code }))).toBe(true);
    expect(toDatabaseError(failure({ code }))).toMatchObject({ code: 'database_unavailable', retryable: true });
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Client has encountered a connection error and is not queryable',
  ])('%s may pass', (message) => {
    expect(toDatabaseError(new Error(message))).toMatchObject({ code: 'database_unavailable', retryable: true });
  });

  it('names every address that was tried', () => {
    const parts = [new Error('connect ECONNREFUSED ::1:5432'), new Error('connect ECONNREFUSED 127.0.0.1:5432')];
    const error = Object.assign(new AggregateError(parts, ''), { code: 'ECONNREFUSED' });
    expect(String(toDatabaseError(error))).toContain('::1:5432; connect ECONNREFUSED 127.0.0.1:5432');
  });

  it('leaves mistakes of the program alone', () => {
    const mistake = new TypeError('x is not a function');
    expect(toDatabaseError(mistake)).toBe(mistake);
    expect(toDatabaseError(failure({ code: 'ERR_INVALID_ARG_TYPE' }))).not.toBeInstanceOf(OperationalError);
  });

  it('is found through the causes, and not mistaken for an error of the network', () => {
    expect(sqlStateOf(toDatabaseError(refused('23505')))).toBe('23505');
    expect(sqlStateOf(failure({ code: 'EPIPE' }))).toBeNull();
    expect(sqlStateOf('23505')).toBeNull();
  });
});
