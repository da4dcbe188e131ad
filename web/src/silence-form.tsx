import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NewSilenceRequest } from '../../src/alerts/alert-schemas.js';
import { ApiError, sendJson, serverNowMs } from './api.js';

const HOURS = [1, 4, 8, 24, 72, 168] as const;
const HOUR_WORDS: Readonly<Record<number, string>> = {
  1: '1 h',
  4: '4 h',
  8: '8 h',
  24: '24 h',
  72: '3 d',
  168: '7 d',
};
const HOUR_MS = 3_600_000;

/** Begins a maintenance window of a well, a site, or of everything, from now on. */
export function SilenceForm({ onMade }: { readonly onMade: () => void }): JSX.Element {
  const [device, setDevice] = useState('');
  const [site, setSite] = useState('');
  const [hours, setHours] = useState(8);
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const make = async (): Promise<void> => {
    const wanted: NewSilenceRequest = {
      ...(device.trim() === '' ? {} : { device: device.trim() }),
      ...(site.trim() === '' ? {} : { site: site.trim() }),
      to: new Date(serverNowMs() + hours * HOUR_MS).toISOString(),
      reason: reason.trim(),
    };
    try {
      await sendJson('POST', '/v1/alerts/silences', wanted);
      setProblem(null);
      setReason('');
      onMade();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
    }
  };
  return (
    <form
      aria-label="New maintenance window"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <div class="toolbar">
        <label class="field">
          <span>Well</span>
          <input
            placeholder="every one"
            maxLength={128}
            value={device}
            onInput={(event) => setDevice(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Site</span>
          <input
            placeholder="every one"
            maxLength={256}
            value={site}
            onInput={(event) => setSite(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>For</span>
          <select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {HOURS.map((option) => (
              <option key={option} value={option}>
                {HOUR_WORDS[option]}
              </option>
            ))}
          </select>
        </label>
        <label class="field grow">
          <span>Reason</span>
          <input
            required
            pattern=".*\S.*"
            maxLength={1000}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <button type="submit">{device.trim() === '' && site.trim() === '' ? 'Silence everything' : 'Silence'}</button>
      </div>
      <p class="bad" role="alert">
        {problem}
      </p>
    </form>
  );
}
