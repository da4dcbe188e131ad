import type { ComponentChildren, JSX } from 'preact';
import { navigate } from './router.js';

interface LinkProps {
  readonly href: string;
  readonly class?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}

/** A link within the page; with a modifier key or another button the browser does what it always does. */
export function Link({ href, current, children, ...rest }: LinkProps): JSX.Element {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a {...rest} href={href} onClick={follow} aria-current={current === true ? 'page' : undefined}>
      {children}
    </a>
  );
}
