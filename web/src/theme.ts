/** Light or dark: what the system prefers, until a person chooses; the choice stays in this browser. */
import { computed, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const STORAGE_KEY = 'theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(system.matches ? 'dark' : 'light');
system.addEventListener('change', () => {
  systemTheme.value = system.matches ? 'dark' : 'light';
});

const stored = localStorage.getItem(STORAGE_KEY);
const chosen = signal<Theme | null>(stored === 'light' || stored === 'dark' ? stored : null);

/** The theme in force; what draws on a canvas reads it to draw anew. */
export const theme = computed<Theme>(() => chosen.value ?? systemTheme.value);

export function toggleTheme(): void {
  const next: Theme = theme.value === 'dark' ? 'light' : 'dark';
  // The attribute first: whoever redraws on the signal reads the new colours from it.
  document.documentElement.dataset['theme'] = next;
  localStorage.setItem(STORAGE_KEY, next);
  chosen.value = next;
}
