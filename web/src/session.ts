/**
 * Whether the page may ask. Where the service demands no keys it always may; where it does, somebody has signed in, and
 * the browser holds a cookie that no script can read. The key itself is kept nowhere.
 */
import { signal } from '@preact/signals';
import type { SessionInfo } from '../../src/ingest/keys/key-schemas.js';

export type Session =
  /** Not asked yet: nothing is shown, neither the fleet nor the form. */
  | { readonly kind: 'unknown' }
  /** The service asks for no keys. */
  | { readonly kind: 'open' }
  | { readonly kind: 'signed-in'; readonly actor: string; readonly scopes: SessionInfo['scopes'] }
  | { readonly kind: 'signed-out'; readonly reason: SignedOutReason };

/** Why the form is shown: for the first time, or because a session ended. */
export type SignedOutReason = 'first' | 'left' | 'ended' | 'key-refused';

export const session = signal<Session>({ kind: 'unknown' });

/** Takes over what `/v1/session` says. */
export function noteSession({ keys_required: keysRequired, signed_in: signedIn, actor, scopes }: SessionInfo): void {
  if (!keysRequired) session.value = { kind: 'open' };
  else if (signedIn && actor !== null) session.value = { kind: 'signed-in', actor, scopes };
  else if (session.value.kind !== 'signed-out') noteSignedOut(session.value.kind === 'unknown' ? 'first' : 'ended');
}

export function noteSignedOut(reason: SignedOutReason): void {
  session.value = { kind: 'signed-out', reason };
}

/** An answer 401: the session is over, whoever asked. @param code `missing_key` where the cookie is no longer known */
export function noteRefused(code: string): void {
  if (session.value.kind === 'signed-out') return;
  const had = session.value.kind === 'signed-in';
  noteSignedOut(!had ? 'first' : code === 'missing_key' ? 'ended' : 'key-refused');
}

/** Whether what only administrators may is offered; the service decides anew with every request. */
export function mayAdminister(): boolean {
  const now = session.value;
  return now.kind === 'open' || (now.kind === 'signed-in' && now.scopes.includes('admin'));
}
