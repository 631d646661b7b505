import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { idOf } from "../support/small-checkpoints.ts";
import { makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";

// Who may push to the remote attacks; more of the kind is in test/checkpoints/remote-hostile.e2e.test.ts.
let clones: SyncedClones;
afterEach(() => clones.close());

type Entry = readonly [mode: string, name: string, oid: string];

function put(content: Buffer | string): string {
  const words = ["hash-object", "-w", "--stdin"];
  return execFileSync("git", words, { cwd: clones.remoteFolder, input: content, encoding: "utf8" }).trim();
}

function tree(entries: readonly Entry[]): string {
  const rows = entries.map(
    ([mode, name, oid]) => `${mode} ${mode === "40000" ? "tree" : "blob"} ${oid}\t${name}\0`,
  );
  const words = ["mktree", "-z"];
  return execFileSync("git", words, {
    cwd: clones.remoteFolder,
    input: rows.join(""),
    encoding: "utf8",
  }).trim();
}

/** One checkpoint on the remote whose only session has these files. */
function publish(session: readonly Entry[]): void {
  const root = tree([
    ["40000", "0", tree(session)],
    ["100644", "metadata.json", put("{}")],
  ]);
  const top = tree([["40000", "00", tree([["40000", "0000000001", root]])]]);
  const identity = ["-c", "user.name=x", "-c", "user.email=x@x"];
  const commit = clones.remote(...identity, "commit-tree", top, "-m", "x");
  clones.remote("update-ref", "refs/heads/entire/checkpoints/v1", commit.trim());
}

const metadata = (fields: object = {}) =>
  put(
    JSON.stringify({ session_id: "s", agent: "Claude Code", created_at: "2026-02-01T00:00:00Z", ...fields }),
  );
const line = `${JSON.stringify({ type: "user", message: { role: "user", content: "x".repeat(900) } })}\n`;
const conversations = (home: string) =>
  existsSync(home)
    ? readdirSync(home, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"))
    : [];

test("a tree that names one large chunk many times is refused before anything is written", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const chunk = put(line.repeat(5000));
  const names = Array.from({ length: 300 }, (_, at) =>
    at === 0 ? "full.jsonl" : `full.jsonl.${String(at).padStart(3, "0")}`,
  );
  publish([...names.map((name): Entry => ["100644", name, chunk]), ["100644", "metadata.json", metadata()]]);
  const b = clones.clone("b");
  const { code, stdout, stderr } = b.keyframe("resume", idOf(1));
  expect([code, stdout]).not.toEqual([0, ""]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/would have \d+ bytes/);
  expect(conversations(b.home)).toEqual([]);
});

test("a chunk whose number claims a million before it is named in a line", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  publish([
    ["100644", "full.jsonl", put(line)],
    ["100644", "full.jsonl.999999", put(line)],
    ["100644", "metadata.json", metadata()],
  ]);
  const b = clones.clone("b");
  b.keyframe("fetch");
  for (const words of [["resume", idOf(1)], ["explain", idOf(1)], ["doctor"]] as const) {
    const { stdout, stderr } = b.keyframe(...words);
    expect([words[0], (stdout + stderr).length < 10_000]).toEqual([words[0], true]);
  }
  expect(conversations(b.home)).toEqual([]);
});

test("names and texts of a checkpoint drive no terminal and forge no line", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const hostile = "\u001b[2J\u202eevil\u009b31m\nSession: forged";
  publish([
    ["100644", "full.jsonl", put(line)],
    ["100644", "prompt.txt", put(`ask\u001b]0;owned\u0007 ${hostile}`)],
    [
      "100644",
      "metadata.json",
      metadata({ session_id: hostile, agent: hostile, branch: hostile, files_touched: [hostile] }),
    ],
  ]);
  const b = clones.clone("b");
  b.keyframe("fetch");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  const forbidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
  for (const words of [["list"], ["list", "--json"], ["explain", idOf(1)], ["resume", idOf(1)], ["doctor"]]) {
    const { stdout, stderr } = b.keyframe(...words);
    expect([words[0], forbidden.exec(stdout + stderr)?.[0]]).toEqual([words[0], undefined]);
    expect([words[0], (stdout + stderr).includes("\nSession: forged")]).toEqual([words[0], false]);
  }
});
