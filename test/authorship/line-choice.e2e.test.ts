import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openGit } from "../../src/git/git.ts";
import type { Oid } from "../../src/git/ids.ts";
import { readCommitPatches } from "../../src/git/objects/patch.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(() => repo.remove());

async function patchOfHead() {
  const git = openGit(mustFindRepository(repo.folder, nodeObserveDeps), nodeProcesses);
  for await (const patch of readCommitPatches(git, [repo.git("rev-parse", "HEAD") as Oid]))
    return patch.files;
  return [];
}

const tests = ["describe", "  it a", "", "    x", "  end", "", "  it c", "", "    x", "  end", "end"];
const withB = [...tests.slice(0, 5), "", "  it b", "", "    x", "  end", ...tests.slice(5)];

describe("an agent's block among blocks like it", () => {
  test("has the lines that blame gives to its commit", async () => {
    repo.write("t", ...tests);
    await repo.commit();
    repo.agentEdit("t", () => repo.write("t", ...withB));
    await repo.commit();
    expect(repo.blame("t")).toBe("UUUUUUAAAAAUUUUU");
  });

  test.each([
    ["diff.indentHeuristic", "false"],
    ["diff.algorithm", "patience"],
    ["diff.interHunkContext", "20"],
    ["diff.noPrefix", "true"],
    ["diff.renames", "false"],
    ["diff.external", "false"],
    ["diff.submodule", "log"],
    ["diff.suppressBlankEmpty", "true"],
  ])("has the same lines with %s=%s", async (name, value) => {
    repo.write("t", ...tests);
    await repo.commit();
    repo.write("t", ...withB);
    repo.git("commit", "-qam", "b");
    const before = await patchOfHead();
    repo.git("config", name, value);
    expect(await patchOfHead()).toEqual(before);
  });
});

describe("attributes", () => {
  test.each(["-diff", "diff=driver", "binary"])("%s hides no owner of text", async (attribute) => {
    writeFileSync(join(repo.folder, ".gitattributes"), `t ${attribute}\n`);
    repo.git("config", "diff.driver.binary", "true");
    repo.write("t", "one");
    await repo.commit();
    repo.agentEdit("t", () => repo.write("t", "one", "two"));
    await repo.commit();
    expect(repo.blame("t")).toBe("UA");
  });

  test("a file that is binary has no lines, whatever attributes say of it", async () => {
    writeFileSync(join(repo.folder, ".gitattributes"), "hidden -diff\nforced diff\n");
    for (const name of ["hidden", "forced", "plain"]) repo.writeBytes(name, Buffer.from("a\0b\nc\0d\n"));
    await repo.commit();
    const files = (await patchOfHead()).filter(({ newPath }) => newPath !== ".gitattributes");
    expect(files.map(({ binary, hunks }) => [binary, hunks.length])).toEqual([
      [true, 0],
      [true, 0],
      [true, 0],
    ]);
  });
});
