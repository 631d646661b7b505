import { join } from "node:path";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { readPathHead, readStateContent } from "../../journal/heads/head-files.ts";
import { type Epoch, listEpochs } from "../../journal/layout.ts";
import { decodeLineOwners } from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";
import type { Files } from "../../system/files/files.ts";
import { snapshotPath } from "../edits/path-snapshot.ts";
import { metadataOfKnown } from "../note/known-owners.ts";
import type { OwnerRun } from "../rules/owner-runs.ts";
import { applyEdit } from "../rules/ownership.ts";
import type { PendingFile, PendingOwners } from "./pending-owners.ts";

/**
 * Who owns the lines of files as they lie in the work tree, from what the journal saw: carried to the present content
 * as an edit that nobody was seen making.
 */
export function pendingOwnersOf(repository: Repository, files: Files): PendingOwners {
  const epochs = listEpochs(repository, files).reverse();
  return (path) => {
    for (const epoch of epochs) {
      const head = readPathHead(files, epoch, path as RepoPath);
      if (head !== undefined) return pendingFile(repository, files, { head, epoch });
    }
    return undefined;
  };
}

function pendingFile(
  repository: Repository,
  files: Files,
  { head, epoch }: { readonly head: PathHead; readonly epoch: Epoch },
): PendingFile | undefined {
  const known = readStateContent(files, epoch, head, head.current);
  const now = snapshotPath(files, join(repository.workTree ?? "", head.path));
  if (known === undefined || now.content === undefined || now.unlined !== undefined) return undefined;
  const edit = applyEdit({ content: known, runs: head.current.runs }, now.content, {
    author: null,
    kind: "person",
  });
  const owners = decodeLineOwners(edit.runs, edit.sources.count);
  const runs = owners.flatMap((key, index): OwnerRun[] =>
    key === null ? [] : [{ first: index + 1, last: index + 1, key }],
  );
  return { runs, metadata: metadataOfKnown(head) };
}
