/** Begins and ends a session at the service, and asks whether there is one. */
import { ApiError, getJson, sendJson, SESSION_PATH } from './api.js';
import { noteSession, noteSignedOut, session } from './session.js';
import type { SessionInfo } from '../../src/ingest/keys/key-schemas.js';

const RETRY_MS = 2000;

/** Asks whether there is a session, until the service answers. */
export async function askSession(): Promise<void> {
  try {
    noteSession(await getJson<SessionInfo>(SESSION_PATH));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The banner says that the service is away; what is shown stays until it is back.
    window.setTimeout(() => void askSession(), RETRY_MS);
  }
}

/** Shows the key to the service, once. Rejects with an ApiError. */
export async function signIn(key: string): Promise<void> {
  noteSession(await sendJson<SessionInfo>('POST', SESSION_PATH, { key }));
}

/** Ends the session at the service as well: the cookie opens nothing afterwards. Rejects with an ApiError. */
export async function signOut(): Promise<void> {
  await sendJson<SessionInfo>('DELETE', SESSION_PATH);
  noteSignedOut('left');
}

/** Whoever signs in in another tab is signed in here, too. */
export function askAgainWhenSeen(): void {
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && session.value.kind === 'signed-out') void askSession();
  });
}
