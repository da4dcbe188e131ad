/** Schemas of values that may be null: JSON has no better way to say that there is none. */
import { Type } from 'typebox';

/** A value of one of JSON's own types, or null. */
export const nullable = <T>(type: 'number' | 'string' | 'boolean' | 'integer', description: string) =>
  Type.Unsafe<T | null>({ type: [type, 'null'], description });
