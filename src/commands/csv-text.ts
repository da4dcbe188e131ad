/** One record of CSV as RFC 4180 has it; NULL is nothing, and an empty text is quoted, so that both can be told apart. */
export const csvLine = (values: readonly (string | number | boolean | null)[]): string =>
  `${values.map(csvField).join(',')}\r\n`;

function csvField(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return Object.is(value, -0) ? '-0' : String(value);
  return value === '' || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
