import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeCliContext } from "../../src/cli/command/context.ts";
import type { DoctorContext } from "../../src/cli/doctor/checks/check.ts";
import { ownersCheck } from "../../src/cli/doctor/checks/owners.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(async () => {
  repo = makeAuthorshipRepo();
  repo.write("f", "base");
  await repo.commit();
  repo.git("switch", "-qc", "ft");
  repo.agentEdit("f", () => repo.write("f", "base", "one"));
  await repo.commit();
  repo.git("switch", "-q", "main");
});
afterEach(() => repo.remove());

function contextOf(folder: string): DoctorContext {
  const repository = mustFindRepository(folder, nodeObserveDeps);
  const git = openGit(repository, nodeProcesses);
  // the check asks for nothing else
  return { cli: nodeCliContext(), repository, git } as unknown as DoctorContext;
}

test("owners that stand elsewhere are told and carried, in a fresh clone from notes alone", async () => {
  const source = repo.git("rev-parse", "ft");
  repo.write("g", "person");
  await repo.commit();
  repo.git("cherry-pick", "ft");
  repo.git("branch", "-qD", "ft");
  const clone = `${repo.folder}/.git/clone`;
  execFileSync("git", ["clone", "-q", repo.folder, clone]);
  repo.git("push", "-q", clone, "refs/notes/ai", `${source}:refs/heads/old`);
  execFileSync("git", ["config", "user.email", "c@x"], { cwd: clone });
  execFileSync("git", ["config", "user.name", "C"], { cwd: clone });
  const context = contextOf(clone);
  const findings = await ownersCheck.find(context);
  expect(findings.map(({ subject, repairable }) => [subject, repairable])).toEqual([
    [repo.git("rev-parse", "HEAD"), true],
  ]);
  await ownersCheck.repair?.(context, findings);
  expect(await ownersCheck.find(context)).toEqual([]);
});

test("a note that claims lines outside of its commit is told", async () => {
  repo.git("notes", "--ref=ai", "copy", "ft", "main");
  const text = repo.note("ft").replace(/( s?_?\S+) 2$/m, "$1 1-7");
  repo.git("notes", "--ref=ai", "add", "-f", "-m", text, "ft");
  const findings = await ownersCheck.find(contextOf(repo.folder));
  expect(findings.map(({ what }) => what)).toContain("its note claims 6 lines that the commit does not add");
});
