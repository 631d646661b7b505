import { asFields, type Fields, field } from "../fields.ts";

/**
 * What a file holds after an edit of the plain kind: a whole text, or texts that take others' places, one after the other.
 * Undefined for inputs of another kind, and where an old text is not found exactly once and not all of its places are meant.
 */
export function expectedContent(input: unknown, before: string | undefined): string | undefined {
  const fields = asFields(input);
  if (fields === undefined) return undefined;
  const whole = firstText(fields, ["content", "file_text", "file_content"]);
  if (whole !== undefined) return whole;
  const edits = ["edits", "str_replace_entries"].map((name) => field(fields, name)).find(Array.isArray);
  if (edits === undefined) return replaced(fields, before);
  return edits.reduce<string | undefined>((text, edit) => replaced(asFields(edit) ?? {}, text), before);
}

function replaced(fields: Fields, before: string | undefined): string | undefined {
  const oldText = firstText(fields, ["old_string", "old_str", "old_text"]);
  const newText = firstText(fields, ["new_string", "new_str", "new_text"]);
  if (newText === undefined) return undefined;
  // a tool whose only text is the new one makes a file
  if (oldText === undefined) return before === undefined ? newText : undefined;
  if (before === undefined || oldText === "") return undefined;
  const parts = before.split(oldText);
  const all = ["replace_all", "change_all"].some((name) => field(fields, name) === true);
  return parts.length === 2 || (all && parts.length > 2) ? parts.join(newText) : undefined;
}

function firstText(fields: Fields, names: readonly string[]): string | undefined {
  return names.map((name) => field(fields, name)).find((value) => typeof value === "string");
}
