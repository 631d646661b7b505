import { emptyAuthorshipLog } from "../../authorship/note/log.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { ownRanges } from "../../authorship/rules/added-lines.ts";
import type { LineRange } from "../../authorship/rules/owner-runs.ts";
import { patchesByCommit, withLogs } from "../../authorship/stats/commit-changes.ts";
import type { ListedCommit } from "../../authorship/stats/commit-list.ts";
import { resolveStatsRange } from "../../authorship/stats/range.ts";
import { isCheckpointId } from "../../checkpoints/record/ids.ts";
import type { Git } from "../../git/git.ts";
import type { FilePatch } from "../../git/objects/file-patch.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import type { Files } from "../../system/files/files.ts";
import { traceRecord } from "./agent-trace.ts";

/** One record of Agent Trace for each commit of a range that adds lines, parents first. @throws KeyframeError `not-found`, `usage` */
export async function* exportTraces(git: Git, files: Files, revision: string): AsyncGenerator<object> {
  const { commits } = await resolveStatsRange(git, revision);
  const facts = await readCommitFacts(git, commits);
  const reader = openObjectReader(git);
  try {
    const source = openNoteSource(git, reader, files);
    for await (const { commit, patches, log } of withLogs(source, commits, patchesByCommit(git, commits))) {
      const { at = "", checkpoints = [] } = facts.get(commit.commit) ?? {};
      const record = traceRecord({
        commit: commit.commit,
        at,
        checkpoints,
        added: addedByPath(patches),
        log: log ?? emptyAuthorshipLog,
      });
      if (record !== undefined) yield record;
    }
  } finally {
    await reader.close();
  }
}

/** Lines that differ from all parents: a merge adds what it resolves. */
function addedByPath([first = [], ...others]: readonly (readonly FilePatch[])[]): Map<string, LineRange[]> {
  const byPath = others.map((patches) => new Map(patches.map((patch) => [patch.newPath ?? "", patch])));
  return new Map(
    first.flatMap((patch): [string, LineRange[]][] =>
      patch.newPath === undefined || patch.binary ? [] : [[patch.newPath, [...ownRanges(patch, byPath)]]],
    ),
  );
}

interface CommitFacts {
  readonly at: string;
  readonly checkpoints: readonly string[];
}

async function readCommitFacts(
  git: Git,
  commits: readonly ListedCommit[],
): Promise<ReadonlyMap<string, CommitFacts>> {
  if (commits.length === 0) return new Map();
  const format = "%H%x09%cI%x09%(trailers:key=Entire-Checkpoint,valueonly,separator=%x20)";
  const args = ["log", "--no-walk=unsorted", "--stdin", "--no-show-signature", `--format=${format}`];
  const stdin = commits.map(({ commit }) => `${commit}\n`).join("");
  const lines = (await git.run(args, { stdin })).stdout.toString("utf8").split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [commit = "", at = "", ids = ""] = line.split("\t");
      return [commit, { at, checkpoints: ids.split(/\s+/).filter(isCheckpointId) }];
    }),
  );
}
