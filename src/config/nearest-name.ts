/** The name that somebody probably meant. */

/** Edits (insert, delete, replace) between two short texts; Wagner and Fischer, one row at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] as number) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] as number) + 1, (current[column - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}

/** Without case and separators: `max_body_bytes` is as good as `maxBodyBytes`. */
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, '');

/** Names longer than this are not compared: the work grows with the square. */
const MAX_COMPARED_LENGTH = 100;

/** The nearest of `known`, or undefined when none is near (more than a third of the letters differ). */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > MAX_COMPARED_LENGTH) return undefined;
  let nearest: string | undefined;
  let least = Math.floor(name.length / 3) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}
