/** The shapes of `/v1/keys`, `/v1/session` and `/v1/audit`. */
import Type, { type Static } from 'typebox';
import { nullable } from '../../config/nullable.js';
import { SCOPES } from '../scopes.js';

const nullableList = (description: string) =>
  Type.Unsafe<string[] | null>({ type: ['array', 'null'], items: { type: 'string' }, description });

const Scopes = Type.Array(Type.Enum([...SCOPES]), {
  description:
    'write: send telemetry. read: read it, and how the service is. admin: holds, dead letters, keys; implies read.',
});

export const NewKeySchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256, description: 'Whose key it is.', examples: ['gateway north 3'] }),
    scopes: Scopes,
    sites: Type.Optional(Type.Array(Type.String(), { description: 'Only devices at these sites; absent: all.' })),
    devices: Type.Optional(
      Type.Array(Type.String(), { description: 'Only these devices: ids, or prefixes that end with *; absent: all.' }),
    ),
    requests_per_second: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Absent: as configured.' })),
    records_per_second: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Absent: as configured.' })),
    expires_at: Type.Optional(Type.String({ description: 'RFC 3339; absent: never.' })),
  },
  { additionalProperties: false, description: 'A key for somebody.' },
);
export type NewKeyRequest = Static<typeof NewKeySchema>;

const KeyInfoFields = {
  id: Type.String({ description: 'The public part of the key.' }),
  name: Type.String(),
  scopes: Scopes,
  sites: nullableList('null: all sites.'),
  devices: nullableList('null: all devices.'),
  requests_per_second: nullable<number>('number', 'null: as configured.'),
  records_per_second: nullable<number>('number', 'null: as configured.'),
  created_at: Type.String(),
  created_by: Type.String(),
  expires_at: nullable<string>('string', 'null: never.'),
  revoked_at: nullable<string>('string', 'null: in force.'),
  last_used_at: nullable<string>('string', 'To within a minute; null: never.'),
};
export const KeyInfoSchema = Type.Object(KeyInfoFields);
export const CreatedKeySchema = Type.Object(
  { key: Type.String({ description: 'The key itself. It is shown now and never again.' }), ...KeyInfoFields },
  { description: 'The key was made.' },
);
export const KeyListSchema = Type.Object({ keys: Type.Array(KeyInfoSchema) });

export const KeyPath = Type.Object({ id: Type.String({ minLength: 1, maxLength: 32, description: 'Id of the key.' }) });

export const AuditQuery = Type.Object(
  {
    since: Type.Optional(
      Type.String({ maxLength: 64, description: 'RFC 3339 with offset; absent: from the beginning.' }),
    ),
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Most entries.' }),
  },
  { additionalProperties: false },
);
export const AuditSchema = Type.Object({
  entries: Type.Array(
    Type.Object({
      at: Type.String(),
      actor: Type.String({ description: 'key:ID, http:ADDRESS without keys, cli:USER.' }),
      action: Type.String({ examples: ['key.create'] }),
      target: Type.String(),
      detail: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
});

export const SignInSchema = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 256, description: 'An API key with the scope read.' }) },
  { additionalProperties: false },
);
export const SessionSchema = Type.Object(
  {
    keys_required: Type.Boolean({ description: 'Whether this server asks for keys at all.' }),
    signed_in: Type.Boolean({ description: 'Whether this request may read.' }),
    actor: nullable<string>('string', 'Whose key it is, as key:ID; null: nobody.'),
    scopes: Scopes,
  },
  { description: 'Who is asking.' },
);
export type SessionInfo = Static<typeof SessionSchema>;
