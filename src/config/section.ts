/** A part of the configuration: its keys, and no others. */
import Type from 'typebox';

export const section = <T extends Record<string, Type.TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false, default: {} });
