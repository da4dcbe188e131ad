/** The rules for Prometheus name metrics and labels that there are. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { RULE_NAMES } from '../../src/alerts/alert.js';
import { METRICS } from '../../src/monitoring/metrics.js';

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

const { groups } = parse(readFileSync(new URL('../../deploy/prometheus/alerts.yml', import.meta.url), 'utf8')) as Rules;
const rules = groups.flatMap((group) => group.rules);
const metrics: Readonly<Record<string, { readonly labels: readonly string[] }>> = METRICS;

/** Prometheus makes these itself. */
const OF_PROMETHEUS: Readonly<Record<string, readonly string[]>> = { up: ['job', 'instance'] };
const WORDS_OF_PROMQL = new Set(['and', 'or', 'by', 'time', 'sum', 'max', 'min', 'increase']);

/** Metrics of an expression, each with the labels that it is narrowed by. */
function selectorsOf(expression: string): { name: string; labels: string[] }[] {
  const bare = expression.replaceAll(/\bby \([^)]*\)/g, '').replaceAll(/\[[^\]]*\]/g, '');
  return [...bare.matchAll(/([a-z_][a-z0-9_]*)(\{[^}]*\})?/g)]
    .map(([, name = '', narrowed = '']) => ({
      name,
      labels: [...narrowed.matchAll(/([a-z_]+)=/g)].map((match) => match[1] as string),
      narrowed,
    }))
    .filter(({ name }) => !WORDS_OF_PROMQL.has(name));
}

describe('the alert rules for Prometheus', () => {
  it('are some, each with its own name, a severity and a summary', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { labels, annotations } of rules) {
      expect(['warning', 'critical']).toContain(labels['severity']);
      expect(annotations['summary']).toMatch(/\.$/);
    }
  });

  it.each(rules.map(({ alert, expr }) => [alert, expr]))('%s asks for metrics and labels that there are', (_, expr) => {
    const selectors = selectorsOf(expr);
    expect(selectors.length).toBeGreaterThan(0);
    for (const { name, labels } of selectors) {
      const known = metrics[name]?.labels ?? OF_PROMETHEUS[name];
      expect(known, `${name} is no metric`).toBeDefined();
      expect(labels.filter((label) => known?.includes(label) !== true)).toEqual([]);
    }
    for (const [, level = ''] of expr.matchAll(/\bby \(([^)]*)\)/g))
      expect(selectors.some(({ name }) => metrics[name]?.labels.includes(level))).toBe(true);
    for (const [, rule = ''] of expr.matchAll(/rule="([^"]*)"/g)) expect(RULE_NAMES).toContain(rule);
  });

  it('would notice a metric that there is not', () => {
    expect(selectorsOf('max by (job) (job_failures_in_row{job="x"}) > 3')).toMatchObject([
      { name: 'job_failures_in_row', labels: ['job'] },
    ]);
  });
});
