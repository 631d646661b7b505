import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

// What git itself does to notes when it rewrites commits, if the user asked it to: `notes.rewriteRef`.

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.git("config", "notes.rewriteRef", "refs/notes/*");
});
afterEach(() => repository.remove());

/** Owners by blame, one letter a line: A an agent, U unknown; nothing is settled before. */
function owners(path: string): string {
  const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as {
    blame: { owner?: { kind: string } }[];
  };
  return blame.map(({ owner }) => (owner?.kind === "agent" ? "A" : "U")).join("");
}

/** A commit of lines that belong to an agent. */
function agentCommit(message: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) repository.write(path, text);
  repository.keyframe(["checkpoint", "mock_ai", "--session", message, ...Object.keys(files)]);
  repository.commit(message);
  repository.keyframe(["settle"]);
}

function rebase(todo: string): void {
  const editor = join(repository.folder, "../editor");
  writeFileSync(editor, `#!/bin/sh\n${todo} "$1"\n`);
  chmodSync(editor, 0o755);
  repository.gitBytes(["rebase", "-q", "-i", "HEAD~2"], {
    env: { ...repository.env, GIT_SEQUENCE_EDITOR: editor, GIT_EDITOR: "true" },
  });
}

function note(): string {
  return repository.git("notes", "--ref=ai", "show", "HEAD");
}

interface Found {
  readonly notes: readonly {
    readonly subject: string;
    readonly what: string;
    readonly repairable: boolean;
  }[];
  readonly repaired: number;
}

const doctor = (...args: string[]) =>
  JSON.parse(repository.keyframe(["doctor", "--json", ...args]).stdout) as Found;

beforeEach(() => {
  repository.write("f", "1\n");
  repository.commit("base");
});

describe("without hooks of ours", () => {
  test("a fixup leaves a glued note: it is read line by line, found by doctor and repaired", () => {
    agentCommit("one", { f: "1\na\nb\n", g: "x\n" });
    agentCommit("two", { f: "0\n1\na\nc\nb\n" });
    rebase("sed -i '2s/pick/fixup/'");
    expect(note().match(/^---$/gm)).toHaveLength(2);
    expect([owners("f"), owners("g")]).toEqual(["AUAAA", "A"]);
    expect(doctor().notes.map(({ what, repairable }) => [what, repairable])).toEqual([
      [expect.stringContaining("glues authorship notes"), false],
      [expect.stringContaining("glued it together"), true],
    ]);
    expect(doctor("--repair")).toMatchObject({ repaired: 1 });
    expect(note().match(/^---$/gm)).toHaveLength(1);
    expect([owners("f"), owners("g")]).toEqual(["AUAAA", "A"]);
    repository.git("config", "notes.rewriteMode", "ignore");
    expect(doctor().notes).toEqual([]);
  });

  test("an amend leaves a copied note, whose lines are those of the commit before", () => {
    agentCommit("one", { f: "1\na\nb\n" });
    repository.write("f", "mine\n1\na\nb\n");
    repository.git("commit", "-qa", "--amend", "-m", "amended");
    // blame settles first, and the reflog tells of the amend: the note is read as it is before that
    expect(JSON.parse(repository.keyframe(["stats", "HEAD", "--json"]).stdout)).toMatchObject({
      ai_additions: 2,
    });
    expect(owners("f")).toBe("UUAA");
  });

  test("a rebase leaves copied notes, which doctor writes anew", () => {
    repository.git("branch", "side");
    agentCommit("one", { f: "1\na\nb\n" });
    repository.git("switch", "-q", "side");
    repository.write("f", "0\n1\n");
    repository.commit("side");
    repository.git("switch", "-q", "main");
    repository.git("rebase", "-q", "side");
    expect(owners("f")).toBe("UUAA");
    repository.keyframe(["doctor", "--repair"]);
    expect(owners("f")).toBe("UUAA");
    expect(note()).toContain(`"base_commit_sha": "${repository.git("rev-parse", "HEAD")}"`);
  });
});

test("with our hooks, nothing of what git copied or glued stays", () => {
  repository.keyframe(["enable"]);
  agentCommit("one", { f: "1\na\nb\n" });
  agentCommit("two", { f: "0\n1\na\nc\nb\n" });
  rebase("sed -i '2s/pick/squash/'");
  expect(note().match(/^---$/gm)).toHaveLength(1);
  expect(owners("f")).toBe("AUAAA");
  repository.write("f", "-\n0\n1\na\nc\nb\n");
  repository.git("commit", "-qa", "--amend", "-m", "amended");
  expect(note()).not.toContain(" 1-");
  expect(owners("f")).toBe("UAUAAA");
});

test("lines that git sorted are told as such, and written anew from the notes of the rewritten commits", () => {
  repository.git("config", "notes.rewriteMode", "cat_sort_uniq");
  repository.keyframe(["enable"]);
  agentCommit("one", { f: "1\na\nb\n" });
  agentCommit("two", { f: "0\n1\na\nc\nb\n" });
  rebase("sed -i '2s/pick/fixup/'");
  expect(owners("f")).toBe("AUAAA");
  const lines = [...new Set(note().split("\n"))].filter((line) => line !== "").sort();
  repository.note(repository.git("rev-parse", "HEAD"), `${lines.join("\n")}\n`);
  expect(doctor().notes.map(({ what }) => what)).toEqual([
    expect.stringContaining("cat_sort_uniq"),
    expect.stringContaining("git sorted the lines"),
  ]);
});

test("enable says that git glues notes together, and is silent where it does not", () => {
  expect(repository.keyframe(["enable"]).stderr).toContain("notes.rewriteRef=refs/notes/*");
  repository.git("config", "notes.rewriteMode", "ignore");
  expect(repository.keyframe(["enable"]).stderr).toBe("");
});
