import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api.js';
import { Icon } from './icons.js';
import type { SignedOutReason } from './session.js';
import { askSession, signIn } from './sign-in.js';

const REASONS: Readonly<Record<SignedOutReason, string>> = {
  first: 'This service shows its wells to those who have a key.',
  left: 'You are signed out.',
  ended: 'Your session has ended. Sign in, and you are back where you were.',
  'key-refused': 'The key of your session was revoked or has expired. Sign in with another one.',
};

/** The form that stands in the place of every page while nobody is signed in; the address stays what it is. */
export function SignInPage({ reason }: { readonly reason: SignedOutReason }): JSX.Element {
  return (
    <div class="page sign-in">
      <h1>Sign in</h1>
      <p role="status">{REASONS[reason]}</p>
      <KeyForm />
      <section class="muted" aria-labelledby="which-key">
        <h2 id="which-key">Which key?</h2>
        <p>
          One with the scope <code>read</code>. To replay dead letters as well it takes <code>admin</code>. Whoever runs
          the service makes one:
        </p>
        <pre>
          <code>downhole keys create --name "Your name" --scope read</code>
        </pre>
        <p>
          The key is sent to the service once and kept nowhere in this browser. A cookie stands for it, for twelve hours
          at most, or until you sign out.
        </p>
      </section>
    </div>
  );
}

function KeyForm(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => field.current?.focus(), []);

  const refuse = (message: string): void => {
    setProblem(message);
    field.current?.focus();
    field.current?.select();
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? '';
    if (busy) return;
    if (key === '') return refuse('Enter a key.');
    setBusy(true);
    try {
      await signIn(key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Asked for keys no longer: the page opens by itself.
      if (error.code === 'keys_not_required') await askSession();
      setBusy(false);
      refuse(explain(error));
    }
  };
  return (
    <form class="card key-form" method="post" noValidate onSubmit={(event) => void submit(event)}>
      <label for="key">Key</label>
      <div class="key-row">
        <input
          id="key"
          ref={field}
          name="key"
          type="password"
          autocomplete="current-password"
          autocapitalize="none"
          spellcheck={false}
          placeholder="dh_…"
          required
          aria-invalid={problem !== null}
          aria-describedby="key-problem"
          onInput={() => setProblem(null)}
        />
        <button type="submit" class="primary" aria-disabled={busy}>
          Sign in
        </button>
      </div>
      <p id="key-problem" class={problem === null ? undefined : 'mark-line bad'} role="alert">
        {problem !== null && (
          <>
            <Icon name="anomaly" /> <span>{problem}</span>
          </>
        )}
      </p>
    </form>
  );
}

/** What stands in the way, and what to do about it. */
function explain(error: ApiError): string {
  if (error.status === 400)
    return 'This is no key. A key begins with dh_ and has 43 characters behind its second underscore.';
  if (error.status === 401)
    return 'This key does not let you in: it is mistyped or unknown here, revoked or expired. Check it, or ask for a new one.';
  if (error.code === 'forbidden_scope')
    return 'This key may not read, so there is nothing that the page could show with it. Use one with the scope read or admin.';
  if (error.status === 429)
    return `There were too many tries from your address. Try again in ${error.retryAfterSeconds ?? 5} s.`;
  if (error.status === 0) return 'The service does not answer. Try again in a moment.';
  if (error.code === 'keys_unavailable')
    return 'The service cannot look up keys at the moment, because its database does not answer. Try again in a moment.';
  return error.message;
}
