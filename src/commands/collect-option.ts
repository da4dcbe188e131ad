/** For an option that may be given several times. */
export const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];
