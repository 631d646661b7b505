import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;

beforeEach(() => {
  repository = createTestRepository();
  repository.write("a.txt", "a1\na2\n");
  repository.commit("before");
});
afterEach(() => repository.remove());

interface Line {
  readonly content: string;
  readonly owner: { readonly kind: string; readonly tool?: string; readonly stated?: boolean } | null;
}

const owners = (path: string) =>
  (JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as { blame: readonly Line[] }).blame.map(
    ({ content, owner }) => [
      content,
      owner?.tool ?? (owner?.stated === true ? "stated" : (owner?.kind ?? "unknown")),
    ],
  );

test("keyframe human takes the lines that nobody was seen writing, and says that they are stated", () => {
  const at = join(repository.folder, "a.txt");
  appendFileSync(at, "by hand\n");
  expect(repository.keyframe(["checkpoint", "untracked", "a.txt"]).code).toBe(0);
  appendFileSync(at, "by a robot\n");
  expect(repository.keyframe(["checkpoint", "mock_ai", "a.txt"]).code).toBe(0);
  appendFileSync(at, "saved\n");
  expect(repository.keyframe(["checkpoint", "known_human", "a.txt"]).code).toBe(0);
  appendFileSync(at, "by hand again\n");
  repository.write("new.txt", "new\n");
  expect(JSON.parse(repository.keyframe(["human", "--json"]).stdout)).toEqual({
    taken: ["a.txt", "new.txt"],
  });
  expect(repository.keyframe(["human"]).stdout).toContain("Nothing to state");
  repository.commit("all");
  expect(owners("a.txt")).toEqual([
    ["a1", "unknown"],
    ["a2", "unknown"],
    ["by hand", "stated"],
    ["by a robot", "mock_ai"],
    ["saved", "human"],
    ["by hand again", "stated"],
  ]);
  expect(owners("new.txt")).toEqual([["new", "stated"]]);
  expect(repository.keyframe(["blame", "new.txt"]).stdout).toContain("Ann Müller (stated)");
});

test("keyframe human takes named files alone, and none outside of the repository", () => {
  repository.write("one.txt", "1\n");
  repository.write("two.txt", "2\n");
  expect(JSON.parse(repository.keyframe(["human", "--json", "one.txt"]).stdout)).toEqual({
    taken: ["one.txt"],
  });
  expect(repository.keyframe(["human", "/etc/passwd"]).code).toBe(4);
});
