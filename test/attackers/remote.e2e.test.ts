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
  publishSessions([["40000", "0", tree(session)]]);
}

function publishSessions(sessions: readonly Entry[]): void {
  const root = tree([...sessions, ["100644", "metadata.json", put("{}")]]);
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

test("a few bytes that are many megabytes of conversations are refused by size, and none is written", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const sessions = Array.from({ length: 6 }, (_, at): Entry => {
    const chunk = put(`{"type":"user","uuid":"${at}","message":{"content":"${" ".repeat(16_000_000)}"}}\n`);
    const files: Entry[] = [
      ["100644", "full.jsonl", chunk],
      ["100644", "metadata.json", metadata({ session_id: `s-${at}` })],
    ];
    return ["40000", String(at), tree(files)];
  });
  publishSessions(sessions);
  const b = clones.clone("b");
  const { code, stderr } = b.keyframe("resume", idOf(1));
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/would have \d+ bytes, more than 64 times the \d+ that it takes/);
  expect(conversations(b.home)).toEqual([]);
  const found = b.keyframe("search", "anything");
  expect(found.stderr).toContain("64 times");
  expect(found.stderr.length).toBeLessThan(2000);
});

test("lists pass over metadata and prompts that are large beyond what they take, and show the rest", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const padded = (text: string, at: number) => put(`${text}${" ".repeat(8_000_000 - at)}`);
  const sessions = Array.from({ length: 14 }, (_, at): Entry => {
    const fields = { session_id: `s-${at}`, agent: "Claude Code", created_at: "2026-02-01T00:00:00Z" };
    const files: Entry[] = [
      ["100644", "full.jsonl", put(line)],
      ["100644", "metadata.json", at === 0 ? metadata() : padded(JSON.stringify(fields), at)],
      ["100644", "prompt.txt", put(`ask ${at}`)],
    ];
    return ["40000", String(at), tree(files)];
  });
  publishSessions(sessions);
  const b = clones.clone("b");
  b.keyframe("fetch");
  const { code, stdout } = b.keyframe("list", "--json");
  expect(code).toBe(0);
  const [listed] = JSON.parse(stdout) as { sessionIds: string[]; unread: string[] }[];
  expect(listed?.sessionIds).toContain("s");
  expect(listed?.unread.filter((text) => text.includes("too large")).length).toBeGreaterThan(3);
});

test("private refs that a remote offers are not fetched, and no moment of theirs is shown", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const identity = ["-c", "user.name=x", "-c", "user.email=x@x"];
  const commit = clones.remote(...identity, "commit-tree", tree([]), "-m", "evil").trim();
  const hostile = ["rewind/evil", "snapshots/evil", "runs/evil/heads/main"].map(
    (name) => `refs/keyframe/${name}`,
  );
  for (const ref of hostile) clones.remote("update-ref", ref, commit);
  const b = clones.clone("b");
  b.keyframe("fetch");
  const words = ["for-each-ref", "--format=%(refname)", "refs/keyframe"];
  const refs = execFileSync("git", words, { cwd: b.folder, encoding: "utf8" });
  expect(refs).not.toContain("evil");
  expect(b.keyframe("timeline", "--all", "--json").stdout).not.toContain("evil");
});

test("trees that name each other a million times are not followed", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  let bomb = tree([["100644", "x", put("x")]]);
  for (let depth = 0; depth < 8; depth += 1)
    bomb = tree(Array.from({ length: 10 }, (_, at): Entry => ["40000", String(at), bomb]));
  publishSessions([
    ["40000", "0", bomb],
    ["40000", "tasks", bomb],
  ]);
  clones.remote("update-ref", `refs/entire/checkpoints/00/${idOf(2)}`, "refs/heads/entire/checkpoints/v1");
  const b = clones.clone("b");
  b.keyframe("fetch");
  const { code, stderr } = b.keyframe("list");
  expect([code, stderr.length < 2000]).toEqual([expect.any(Number), true]);
});
