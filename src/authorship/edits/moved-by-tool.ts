import type { RepoPath } from "../../git/ids.ts";
import type { Journal } from "../../journal/log/journal.ts";
import type { PathSnapshot } from "./path-snapshot.ts";
import type { EarlierContent, OwnedState } from "./record-edit.ts";

/**
 * What a call of an edit tool took away at one of its paths and may have put at another: a patch can move a file and change
 * it at once, and the lines that it only moved keep their owners. Undefined where nothing went away.
 */
export function movedByTool(
  journal: Journal,
  captures: readonly { readonly path: RepoPath; readonly after: PathSnapshot }[],
): EarlierContent | undefined {
  const states = captures.flatMap(({ path, after }): OwnedState[] => {
    const head = journal.head(path);
    if (after.kind !== "absent" || head?.current.kind !== "file") return [];
    const content = head.current.unlined === undefined ? journal.content(head, head.current) : undefined;
    return content === undefined ? [] : [{ content, runs: head.current.runs, known: head }];
  });
  return states.length === 0 ? undefined : { isWhole: false, versions: [], states };
}

/** True for a path that came into being since the journal last looked. */
export function isNewPath(journal: Journal, path: RepoPath, after: PathSnapshot): boolean {
  return after.kind === "file" && journal.head(path)?.current.kind === "absent";
}
