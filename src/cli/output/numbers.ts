/** `1234567` as `1,234,567`, without what `toLocaleString` loads for it: as long as Node takes to start. */
export function groupDigits(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
}
