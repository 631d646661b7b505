import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { readPathHeads } from "../../journal/heads/head-files.ts";
import { listEpochs } from "../../journal/layout.ts";
import type { Journal } from "../../journal/log/journal.ts";
import type { PathHead, PathState } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";
import type { PathSnapshot } from "./path-snapshot.ts";
import { type EarlierContent, recordRename } from "./record-edit.ts";

/** Pending paths that are compared with a file that seems to have been moved. */
const maxHeads = 1000;
/** A write changes both times at once, as exactly as the file system keeps them; a move changes one of them. */
const maxWriteGapMs = 1;

interface Looked {
  readonly path: RepoPath;
  readonly after: PathSnapshot;
  readonly earlier: EarlierContent;
}

/**
 * A file that stands at another path than the journal saw it at, moved by nobody that was seen: where the journal knows
 * nothing of the new path, it now knows what it knew of the old one; else that is added to what was there earlier.
 * Costs nothing for a file whose times say that it was written where it stands.
 */
export function followMove(
  journal: Journal,
  { repository, files }: { readonly repository: Repository; readonly files: Files },
  { path, after, earlier }: Looked,
): EarlierContent {
  const head = journal.head(path);
  const { mark, digest } = after;
  const isMoved = mark !== undefined && mark.ctimeMs - mark.mtimeMs > maxWriteGapMs;
  if (after.kind !== "file" || !isMoved || head?.current.digest === digest) return earlier;
  const found = findState({ repository, files }, path, digest);
  if (found === undefined) return earlier;
  const content = journal.content(found.head, found.state);
  if (head === undefined) {
    recordRename(journal, { from: found.head, to: path }, { state: found.state, content });
    return earlier;
  }
  const { agents, humans, evidence } = found.head;
  const state = content && { content, runs: found.state.runs, known: { agents, humans, evidence } };
  return state === undefined ? earlier : { ...earlier, states: [...earlier.states, state] };
}

function findState(
  { repository, files }: { readonly repository: Repository; readonly files: Files },
  path: RepoPath,
  digest: string,
): { readonly head: PathHead; readonly state: PathState } | undefined {
  let looked = 0;
  for (const epoch of listEpochs(repository, files).reverse()) {
    for (const head of readPathHeads(files, epoch)) {
      const state = [head.current, ...head.earlier].find(
        (known) => known.kind === "file" && known.digest === digest && known.unlined === undefined,
      );
      if (state !== undefined && head.path !== path) return { head, state };
      looked += 1;
      if (looked >= maxHeads) return undefined;
    }
  }
  return undefined;
}
