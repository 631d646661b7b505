import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCaptureSettings } from "../../../src/checkpoints/capture/settings.ts";
import { nodeFiles as files } from "../../../src/system/files/files.ts";

let root: string;
let repository: { workTree: string; gitDir: string; commonDir: string };
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kf-settings-"));
  repository = { workTree: root, gitDir: join(root, ".git"), commonDir: join(root, ".git") };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, content: unknown) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
};
const team = ".keyframe/settings.json";
const own = ".git/keyframe/settings.json";
const rule = (name: string) => ({ name, prefix: `${name}_`, minLength: 4, maxLength: 40 });
const read = () => readCaptureSettings(repository, { files });

test("without settings nothing but the built-in rules holds, and checkpoints go to the branch", () => {
  expect(read()).toMatchObject({ store: "v1" });
  expect(read().redactor.redactText("acme_12345")).toBe("acme_12345");
});

test("rules of the team and of the person both hold; the person chooses the store", () => {
  put(team, { redaction: { rules: [rule("acme")] }, checkpoints: { store: "v2" }, later: { key: 1 } });
  expect(read().store).toBe("v2");
  put(own, { redaction: { rules: [rule("mine")] }, checkpoints: { store: "refs" } });
  expect(read().store).toBe("refs");
  expect(read().redactor.redactText("acme_12345 mine_12345")).toBe("REDACTED REDACTED");
  rmSync(join(root, team));
  expect(read().redactor.redactText("acme_12345 mine_12345")).toBe("acme_12345 REDACTED");
});

test.each([
  ["is no JSON", "{"],
  ["is a list", "[]"],
  ["has rules that are no list", { redaction: { rules: {} } }],
  ["has a redaction that is no object", { redaction: "off" }],
  ["has a rule that is none", { redaction: { rules: [rule("fine"), { name: "x", pattern: "(a+)+$" }] } }],
  ["names a store that is none", { checkpoints: { store: "/bin/sh" } }],
  ["is too large", `{"x":"${"a".repeat(300_000)}"}`],
])("a file that %s is an error that names it, wherever it lies", (_, content) => {
  for (const path of [team, own]) {
    put(path, content);
    expect(read).toThrow(join(root, path));
    rmSync(join(root, path));
  }
});

test("links are not followed: committed ones may lead anywhere", () => {
  put("elsewhere/settings.json", { redaction: { rules: [] } });
  symlinkSync(join(root, "elsewhere"), join(root, ".keyframe"));
  expect(read).toThrow(/not a plain file/);
  rmSync(join(root, ".keyframe"));
  mkdirSync(join(root, ".keyframe"));
  symlinkSync("/dev/zero", join(root, team));
  expect(read).toThrow(/not a plain file/);
});
