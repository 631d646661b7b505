import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import type { Files } from "../../system/files/files.ts";
import type { Moment } from "../moment.ts";
import { listMoments } from "./list-moments.ts";

/**
 * The moment that a text names: the beginning of an id or of a checkpoint's id, the title of a mark, or any revision of
 * git. @throws KeyframeError `not-found`, `usage` for an ambiguous beginning
 */
export async function mustFindMoment(git: Git, files: Files, text: string): Promise<Moment> {
  const moments = await listMoments(git, files, { all: true });
  const found = candidates(moments, text);
  const [first, second] = found;
  if (second !== undefined) {
    throw new KeyframeError("usage", `ambiguous moment "${text}": matches ${found.length}`, {
      hint: `use more digits: ${found
        .slice(0, 4)
        .map(({ id }) => id)
        .join(", ")}${found.length > 4 ? ", ..." : ""}`,
    });
  }
  if (first !== undefined) return first;
  const commit = await resolveRevision(git, `${text}^{commit}`);
  const moment = commit === undefined ? undefined : moments.find((each) => each.commit === commit);
  if (moment !== undefined) return moment;
  throw new KeyframeError("not-found", `no moment named "${text.slice(0, 80)}"`, {
    hint: "see `keyframe timeline --all`",
  });
}

function candidates(moments: readonly Moment[], text: string): readonly Moment[] {
  const titled = moments.filter(({ kind, title }) => kind === "mark" && title === text);
  // the newest mark of a title is meant: a mark that is set again moves on
  if (titled[0] !== undefined) return [titled[0]];
  if (!/^[0-9a-fA-F]{4,64}$/.test(text)) return [];
  const wanted = text.toLowerCase();
  const named = moments.filter(
    ({ commit, checkpoints }) => commit.startsWith(wanted) || checkpoints.some((id) => id.startsWith(wanted)),
  );
  const exact = named.filter(({ commit, id }) => id === wanted || commit === wanted);
  return exact.length > 0 ? exact : named;
}
