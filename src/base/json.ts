/** Any JSON value, read-only. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field of an object; undefined for absence and for names such as `constructor` that only the prototype has. */
export function jsonField(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function stringField(object: JsonObject, name: string): string | undefined {
  const value = jsonField(object, name);
  return typeof value === "string" ? value : undefined;
}

export function numberField(object: JsonObject, name: string): number | undefined {
  const value = jsonField(object, name);
  return typeof value === "number" ? value : undefined;
}

export function objectField(object: JsonObject, name: string): JsonObject | undefined {
  const value = jsonField(object, name);
  return isJsonObject(value) ? value : undefined;
}

/** Fields of both; where both hold an object they are merged the same way, elsewhere `top` wins. */
export function mergeJson(base: JsonObject, top: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(base));
  for (const [name, value] of Object.entries(top)) {
    const below = merged.get(name);
    merged.set(name, isJsonObject(below) && isJsonObject(value) ? mergeJson(below, value) : value);
  }
  // fromEntries defines fields, so a field named __proto__ stays a field
  return Object.fromEntries(merged);
}

/** True if objects and arrays nest at most `limit` deep. */
export function nestsWithin(value: Json, limit: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (limit === 0) return false;
  for (const inner of Object.values(value)) if (!nestsWithin(inner, limit - 1)) return false;
  return true;
}
