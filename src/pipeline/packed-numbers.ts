/** Numbers as text that a hash can keep: little-endian doubles in base64, so that they come back bit by bit. */

export function packNumbers(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * 8);
  numbers.forEach((number, index) => bytes.writeDoubleLE(number, index * 8));
  return bytes.toString('base64');
}

/** Undefined where the text does not hold whole numbers. */
export function unpackNumbers(text: string): Float64Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 8 !== 0) return undefined;
  const numbers = new Float64Array(bytes.length / 8);
  for (let index = 0; index < numbers.length; index++) numbers[index] = bytes.readDoubleLE(index * 8);
  return numbers;
}
