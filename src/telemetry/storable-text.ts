/** Text as PostgreSQL takes it: it has no NUL and no lone surrogates. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\u2400').replaceAll(/\p{Surrogate}/gu, '\ufffd');
}
