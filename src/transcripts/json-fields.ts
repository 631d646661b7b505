/** Tolerant access to parsed JSON from outside: a value of another type is as good as absent. */
export type LineFields = { readonly [key: string]: unknown };

export function fieldsOf(value: unknown): LineFields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as LineFields)
    : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
