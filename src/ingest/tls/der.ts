/** As much of DER (ITU-T X.690) as a certificate needs: values with tag and length, written, never read. */

type Bytes = Uint8Array;

function tagged(tag: number, ...parts: readonly Bytes[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

export const sequence = (...parts: readonly Bytes[]): Buffer => tagged(0x30, ...parts);
export const set = (...parts: readonly Bytes[]): Buffer => tagged(0x31, ...parts);
export const boolean = (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0]));
export const octets = (bytes: Bytes): Buffer => tagged(0x04, bytes);
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));

/** A number from its bytes, most significant first; never negative. */
export function integer(bytes: Bytes): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return (digits[0] as number) >= 0x80 ? tagged(0x02, Buffer.from([0]), digits) : tagged(0x02, digits);
}

/** Bits from their bytes. @param unused bits of the last byte that do not count */
export const bits = (bytes: Bytes, unused = 0): Buffer => tagged(0x03, Buffer.from([unused]), bytes);

/** `[number]` of a type: `explicit` wraps a value, `implicit` stands in place of its tag. */
export const explicit = (number: number, ...parts: readonly Bytes[]): Buffer => tagged(0xa0 | number, ...parts);
export const implicit = (number: number, bytes: Bytes): Buffer => tagged(0x80 | number, bytes);

/** `2.5.29.17` */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const content = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return tagged(0x06, Buffer.from(content));
}

/** Whole seconds in UTC; certificates write the years before 2050 with two digits (RFC 5280, 4.1.2.5). */
export function time(epochMs: number): Buffer {
  const text = new Date(epochMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return text < '2050' ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text));
}
