import type { JSX } from 'preact';
import type { LetterDetail } from '../../src/dead-letters/letter-schemas.js';
import { formatBytes, formatNumber } from './format.js';

/** What a browser lays out at once without making people wait. */
const SHOWN_CHARACTERS = 65_536;
const SHOWN_BYTES = 4096;
const BYTES_PER_LINE = 16;

interface LetterBytesProps {
  readonly original: LetterDetail['letter']['original'];
  readonly bytes: number;
}

/** The bytes as they came: as text where they are UTF-8, otherwise in hexadecimal. */
export function LetterBytes({ original, bytes }: LetterBytesProps): JSX.Element {
  if (bytes === 0) return <p class="card muted">The bytes are gone: the letter was purged, or there never were any.</p>;
  const isText = original.encoding === 'utf8';
  const shown = isText ? original.data.slice(0, SHOWN_CHARACTERS) : hexDump(fromBase64(original.data), SHOWN_BYTES);
  const isCut = isText ? original.data.length > SHOWN_CHARACTERS : bytes > SHOWN_BYTES;
  return (
    <>
      <pre class="bytes" role="region" aria-label="Original bytes" tabIndex={0} data-encoding={original.encoding}>
        {shown}
      </pre>
      <p class="muted">
        {isText ? 'UTF-8 text' : 'Not UTF-8: offset, bytes in hexadecimal, and what of them is ASCII'},{' '}
        {bytes < 1000 ? `${formatNumber(bytes)} bytes` : formatBytes(bytes)}
        {isCut && (
          <>
            ; this is the beginning. All of it: <code>downhole dlq show</code>
          </>
        )}
      </p>
    </>
  );
}

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Lines of offset, hexadecimal and ASCII, of the first bytes. */
function hexDump(bytes: Uint8Array, limit: number): string {
  const lines: string[] = [];
  for (let offset = 0; offset < Math.min(bytes.length, limit); offset += BYTES_PER_LINE) {
    const line = [...bytes.subarray(offset, offset + BYTES_PER_LINE)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const ascii = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${offset.toString(16).padStart(6, '0')}  ${hex.padEnd(BYTES_PER_LINE * 3 - 1)}  ${ascii}`);
  }
  return lines.join('\n');
}
