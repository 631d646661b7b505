import type { Git } from "../../git/git.ts";
import type { Moment } from "../moment.ts";

/** How many files each moment changed against the one before it, by moment id, from one `git diff-tree`. */
export async function changedFilesOf(
  git: Git,
  moments: readonly Moment[],
  known: readonly Moment[] = moments,
): Promise<Map<string, number>> {
  const byId = new Map(known.map((moment) => [moment.id, moment.commit]));
  const lines = moments.flatMap((moment) => {
    const before = moment.parent === undefined ? undefined : byId.get(moment.parent);
    // a commit alone is compared with its own parents
    if (moment.kind === "commit") return [moment.commit];
    const against = before ?? (moment.base === "initial" ? undefined : moment.base);
    return against === undefined ? [] : [`${moment.commit} ${against}`];
  });
  const counts = new Map<string, number>();
  if (lines.length === 0) return counts;
  const args = [
    "diff-tree",
    "--stdin",
    "-r",
    "--raw",
    "--no-renames",
    "--root",
    "--abbrev=4",
    "--no-ext-diff",
  ];
  const { stdout } = await git.run(args, { stdin: `${lines.join("\n")}\n` });
  let id: string | undefined;
  for (const line of stdout.toString("latin1").split("\n")) {
    if (line.startsWith(":")) {
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    } else if (/^[0-9a-f]{40,64}/.test(line)) {
      id = line.slice(0, 12);
      counts.set(id, 0);
    }
  }
  for (const line of lines) if (!counts.has(line.slice(0, 12))) counts.set(line.slice(0, 12), 0);
  return counts;
}
