import { asFields, type Fields, field } from "../fields.ts";
import { maxPathsPerPayload } from "../limits.ts";

const single = ["file_path", "filepath", "path", "notebook_path", "target_file", "relative_path", "uri"];
const several = ["file_paths", "filepaths", "files", "paths", "edited_filepaths"];

/** Texts that are looked through for the head lines of a patch, by what their fields are called. */
const patchFields = ["patch", "patch_text", "input", "command", "diff", "explanation"];

/**
 * The files that an edit tool's input names, as spelled there: a path field, a list of them, entries of several edits, or
 * the head lines of a patch in the form that begins with `*** Begin Patch`. Empty if it names none.
 */
export function editedPaths(input: unknown): readonly unknown[] {
  if (typeof input === "string") return patchedPaths(input);
  const fields = asFields(input);
  if (fields === undefined) return [];
  const named = namedPaths(fields);
  if (named.length > 0) return named;
  for (const name of patchFields) {
    const text = field(fields, name);
    const paths = typeof text === "string" ? patchedPaths(text) : [];
    if (paths.length > 0) return paths;
  }
  const entries = ["edits", "replacements"].map((name) => field(fields, name)).find(Array.isArray) ?? [];
  return entries.slice(0, maxPathsPerPayload).flatMap((entry: unknown) => namedPaths(asFields(entry) ?? {}));
}

function namedPaths(fields: Fields): readonly unknown[] {
  const from = single.map((name) => field(fields, name)).filter((value) => typeof value === "string");
  const to = ["new_path", "destination"].map((name) => field(fields, name));
  if (from.length > 0) return [...from, ...to.filter((value) => typeof value === "string")];
  return several.map((name) => field(fields, name)).find(Array.isArray) ?? [];
}

/** The files of a patch: those that it adds, updates and deletes, and where it moves one to. */
export function patchedPaths(text: string): string[] {
  if (!text.includes("*** Begin Patch")) return [];
  const heads = text.matchAll(/^\*\*\* (?:Add File|Update File|Delete File|Move to): (.{1,4096})$/gm);
  return [...heads].map(([, path = ""]) => path.trim().replace(/^(["'`])(.*)\1$/, "$2"));
}
