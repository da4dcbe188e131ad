import type { JSX } from 'preact';

interface TableHeadProps {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** The heading of a column; figures stand to the right. */
export function TableHead({ title, isNumber = false }: TableHeadProps): JSX.Element {
  return (
    <th scope="col" class={isNumber ? 'number' : undefined}>
      <span class="heading">{title}</span>
    </th>
  );
}
