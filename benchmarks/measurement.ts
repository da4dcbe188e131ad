/** What a benchmark reports: a figure beside its peer or limit, both measured in the same run. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, in words. */
  readonly peer: string;
  readonly peerValue: number;
  /** value / peerValue. */
  readonly ratio: number;
  /** What else was measured in that run, such as the processor time a record; which database it ran on. */
  readonly detail?: Readonly<Record<string, number | string>>;
}

export function measurement(
  name: string,
  value: number,
  unit: string,
  peer: string,
  peerValue: number,
  detail?: Measurement['detail'],
): Measurement {
  return {
    name,
    value: rounded(value),
    unit,
    peer,
    peerValue: rounded(peerValue),
    ratio: Number((value / peerValue).toPrecision(4)),
    ...(detail === undefined ? {} : { detail }),
  };
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(4));
}

/** The middle value; of an even number, the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] as number;
}
