import { asFields, type Fields, field } from "../fields.ts";

/** What the first of these places holds; null and absent fields hold nothing. */
export function fieldAt(fields: Fields, places: readonly string[] | undefined): unknown {
  for (const place of places ?? []) {
    const value = place.split(".").reduce<unknown>((from, name) => field(asFields(from) ?? {}, name), fields);
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}

/** A text, or the texts of a list of blocks (`[{type, text}]`). */
export function proseAt(fields: Fields, places: readonly string[] | undefined): string {
  const value = fieldAt(fields, places);
  if (typeof value === "string") return value.trim();
  const blocks = Array.isArray(value) ? value : [];
  return blocks
    .map((block) => asFields(block)?.["text"])
    .filter((text) => typeof text === "string")
    .join("\n")
    .trim();
}
