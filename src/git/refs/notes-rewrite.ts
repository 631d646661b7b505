import type { Git } from "../git.ts";

/** How git itself treats the notes of commits that it rewrites. */
export interface NotesRewrite {
  /** The setting that covers the notes, as the user wrote it. */
  readonly setting: string;
  /** `concatenate` glues notes together where several commits become one, `cat_sort_uniq` sorts their lines besides. */
  readonly mode: "concatenate" | "cat_sort_uniq" | "overwrite" | "ignore";
}

/**
 * What git will do to the notes of `ref` when it rewrites commits (amend, rebase): undefined where nothing asks it to
 * touch them, as is git's default.
 */
export async function readNotesRewrite(
  git: Git,
  ref: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<NotesRewrite | undefined> {
  const fromEnv = env["GIT_NOTES_REWRITE_REF"];
  const refs = fromEnv === undefined ? await configured(git, "notes.rewriteRef") : fromEnv.split(":");
  const covering = refs.find((pattern) => covers(pattern, ref));
  if (covering === undefined) return undefined;
  const modes = [...(await configured(git, "notes.rewriteMode")), env["GIT_NOTES_REWRITE_MODE"] ?? ""];
  const mode = modes
    .filter((text) => text !== "")
    .at(-1)
    ?.toLowerCase();
  const name = fromEnv === undefined ? "notes.rewriteRef" : "GIT_NOTES_REWRITE_REF";
  return { setting: `${name}=${covering}`, mode: isMode(mode) ? mode : "concatenate" };
}

async function configured(git: Git, name: string): Promise<string[]> {
  const { stdout } = await git.run(["config", "--get-all", name], { okCodes: [0, 1] });
  return stdout.toString("utf8").split("\n").filter(Boolean);
}

/** Git takes the patterns as globs in which a star stands for slashes too. */
function covers(pattern: string, ref: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`).test(ref);
}

function isMode(text: string | undefined): text is NotesRewrite["mode"] {
  return text !== undefined && ["concatenate", "cat_sort_uniq", "overwrite", "ignore"].includes(text);
}
