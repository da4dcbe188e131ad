/** What a key may be allowed: to send telemetry, to read, to administer. `admin` implies `read`. */
export const SCOPES = ['write', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];
