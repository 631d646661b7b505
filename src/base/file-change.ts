/** What is at a path: for plans that show, make and take back changes to files that belong to the user. */
export type FileState =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly content: Buffer /** Permission bits. */; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string };

/** One planned change of one path. Absolute path; `why` completes "because ...". */
export interface FileChange {
  readonly path: string;
  readonly before: FileState;
  readonly after: FileState;
  readonly why: string;
}

export const absent: FileState = { kind: "absent" };

export function textFile(text: string, mode: number): FileState {
  return { kind: "file", content: Buffer.from(text), mode };
}

export function sameState(a: FileState, b: FileState): boolean {
  if (a.kind === "file" && b.kind === "file") return a.mode === b.mode && a.content.equals(b.content);
  if (a.kind === "symlink" && b.kind === "symlink") return a.target === b.target;
  return a.kind === b.kind;
}

/** "create", "change" or "remove". */
export function changeVerb(change: FileChange): "create" | "change" | "remove" {
  if (change.before.kind === "absent") return "create";
  return change.after.kind === "absent" ? "remove" : "change";
}
