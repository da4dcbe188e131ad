import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { theme } from './theme.js';
import type { Span } from './time-view.js';

interface UplotChartProps {
  /** Options without size; called anew when the theme changes, since a canvas has no style sheet. */
  readonly options: () => Omit<uPlot.Options, 'width' | 'height'>;
  readonly data: uPlot.AlignedData;
  readonly span: Span;
  readonly height: number;
  readonly label: string;
}

/** A uPlot in the life of a component: follows its box in width, and data and span without being built anew. */
export function UplotChart({ options, data, span, height, label }: UplotChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const look = theme.value;

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const built = new uPlot({ ...options(), width: element.clientWidth || 300, height }, data, element);
    // The canvas says nothing to a screen reader; the figures and the table beside it do.
    built.root.setAttribute('aria-hidden', 'true');
    chart.current = built;
    const observer = new ResizeObserver(() => built.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      built.destroy();
      chart.current = null;
    };
  }, [look, height]);

  useEffect(() => {
    const built = chart.current;
    if (built === null) return;
    built.batch(() => {
      if (built.data !== data) built.setData(data, false);
      built.setScale('x', { min: span.fromMs / 1000, max: span.toMs / 1000 });
    });
  }, [data, span.fromMs, span.toMs, look]);

  return <div class="plot" ref={box} role="img" aria-label={label} />;
}
