// Covers src/system/files/**.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { absent, type FileState, textFile } from "../../../src/base/file-change.ts";
import { applyFileChanges, readFileState } from "../../../src/system/files/file-changes.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-changes-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const change = (path: string, before: FileState = absent, after: FileState = textFile("new\n", 0o775)) => ({
  path: join(folder, path),
  before,
  after,
  why: "",
});

test("changes are made with their exact mode, and can be taken back", () => {
  const made = change("sub/folder/file");
  applyFileChanges([made], nodeFiles);
  expect(statSync(made.path).mode & 0o7777).toBe(0o775);
  expect(readFileState(made.path, nodeFiles)).toEqual(made.after);
  const link = change("link", absent, { kind: "symlink", target: "nowhere" });
  applyFileChanges([link, { ...made, before: made.after, after: absent }], nodeFiles);
  expect(readFileState(link.path, nodeFiles)).toEqual({ kind: "symlink", target: "nowhere" });
  expect(readFileState(made.path, nodeFiles)).toEqual(absent);
});

test("a file that somebody changed since the plan is refused and kept", () => {
  writeFileSync(join(folder, "file"), "theirs\n");
  expect(() => applyFileChanges([change("first"), change("file")], nodeFiles)).toThrow(/changed while/);
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("theirs\n");
  expect(readFileSync(join(folder, "first"), "utf8")).toBe("new\n");
});

test("a folder in a file's place is refused", () => {
  mkdirSync(join(folder, "file"));
  expect(() => applyFileChanges([change("file")], nodeFiles)).toThrow(/is not a file/);
});
