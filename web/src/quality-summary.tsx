import type { JSX } from 'preact';
import type { QualitySummary } from '../../src/quality/quality-schemas.js';
import { formatNumber, formatShare } from './format.js';

const DIMENSIONS = [
  {
    name: 'overall',
    title: 'Overall',
    meaning: '0.30 completeness + 0.30 validity + 0.25 consistency + 0.15 timeliness',
  },
  { name: 'completeness', title: 'Completeness', meaning: 'records with all expected channels' },
  { name: 'validity', title: 'Validity', meaning: 'mean quality score' },
  { name: 'consistency', title: 'Consistency', meaning: 'records without an anomaly' },
  { name: 'timeliness', title: 'Timeliness', meaning: 'records that arrived in time' },
  { name: 'accuracy', title: 'Accuracy', meaning: 'records without a physical contradiction' },
] as const;

const LEVELS: Readonly<Record<string, string>> = { '1min': 'one-minute', '1hour': 'hourly', daily: 'daily' };

export function QualitySummaryCards({ summary }: { readonly summary: QualitySummary }): JSX.Element {
  const sources = summary.sources.map((level) => LEVELS[level] ?? level).join(', ');
  return (
    <section aria-label="Dimensions">
      <div class="dimensions">
        {DIMENSIONS.map(({ name, title, meaning }) => (
          <div key={name} class="card dimension">
            <h2>{title}</h2>
            <p class="figure-value">{formatShare(summary[name], 2)}</p>
            <Meter share={summary[name]} />
            <p class="muted">{meaning}</p>
          </div>
        ))}
      </div>
      <p class="muted">
        {formatNumber(summary.records)} records of {formatNumber(summary.devices)}{' '}
        {summary.devices === 1 ? 'well' : 'wells'}, {formatNumber(summary.anomalies)} anomalous. Source: the {sources}{' '}
        aggregate.
      </p>
    </section>
  );
}

/** A bar beside a figure that is written out too: decoration for the eye. */
export function Meter({ share }: { readonly share: number | null }): JSX.Element {
  const level = share === null ? 'none' : share >= 0.95 ? 'good' : share >= 0.8 ? 'warn' : 'bad';
  return (
    <svg class={`meter ${level}`} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="meter-track" width="100" height="4" />
      <rect width={(share ?? 0) * 100} height="4" fill="currentColor" />
    </svg>
  );
}
