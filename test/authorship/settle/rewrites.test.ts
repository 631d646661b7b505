import { afterEach, beforeEach, expect, test } from "vitest";
import { parseRewrites } from "../../../src/authorship/settle/rewritten-commits.ts";
import { settle } from "../../../src/authorship/settle/settle.ts";
import { openGit } from "../../../src/git/git.ts";
import { mustFindRepository } from "../../../src/git/repository.ts";
import { nodeMachine } from "../../../src/system/machine/machine.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(() => repo.remove());

/** As git's `post-rewrite` hook says it. */
function settleRewrite(from: string, to: string) {
  const git = openGit(mustFindRepository(repo.folder, nodeMachine), nodeMachine.processes);
  return settle(git, nodeObserveDeps, { rewrites: parseRewrites(`${from} ${to}\n`) });
}

/** A commit and its successor with the same content, made without hooks. */
async function amended(): Promise<{ from: string; to: string }> {
  repo.agentEdit("f", () => repo.write("f", "one", "two"));
  const from = await repo.commit();
  repo.git("commit", "-q", "--amend", "-m", "said better");
  return { from, to: repo.git("rev-parse", "HEAD") };
}

test("a successor without a note gets that of the commit it replaced", async () => {
  const { from, to } = await amended();
  await settleRewrite(from, to);
  expect(repo.note(to)).toContain("session-a");
  expect(repo.blame("f")).toBe("AA");
});

test("a note that the successor already has comes from its own evidence: what is carried over does not replace it", async () => {
  const { from, to } = await amended();
  const own = repo.note(from).replaceAll("session-a", "session-of-its-own");
  repo.git("notes", "--ref=ai", "add", "-f", "-m", own, to);
  await settleRewrite(from, to);
  expect(repo.note(to)).toContain("session-of-its-own");
  expect(repo.note(to)).not.toContain("session-a");
});
