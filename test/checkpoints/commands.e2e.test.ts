// Covers src/checkpoints/query/**, src/cli/explain/**, src/cli/list/**, src/cli/search/**,
// src/cli/tokens/**, src/cli/migrate/**.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../support/checkpoint-repository.ts";
import { checkpointWrite, generatedId, generateTranscript, tokens } from "../support/generate-checkpoints.ts";

const program = resolve("dist/keyframe.cjs");
const first = generatedId(1);
const second = generatedId(2);
const never = generatedId(3);
let repository: CheckpointRepository;

function run(...args: string[]) {
  const env = { ...process.env, TZ: "UTC", NO_COLOR: "1", COLUMNS: "100" };
  return spawnSync(process.execPath, [program, ...args], {
    cwd: repository.folder,
    env,
    encoding: "utf8",
    timeout: 60_000,
  });
}
const json = (...args: string[]) => JSON.parse(run(...args, "--json").stdout);

beforeAll(async () => {
  repository = makeCheckpointRepository();
  const write = (writes: Parameters<typeof checkpointWrite>[], kind: "v1" | "refs") =>
    repository.stores[kind].write(
      writes.map((args) => checkpointWrite(...args)),
      {
        message: commitMessage(kind, "checkpoint"),
        nowSeconds: 1_770_000_000,
      },
    );
  const summary = new Map([
    ["intent", "Make the parser faster"],
    ["outcome", "It is twice as fast"],
  ]);
  await write(
    [
      [
        first,
        [
          {
            sessionId: "alpha",
            createdAt: "2026-02-16T12:01:04Z",
            transcript: generateTranscript(1, 3),
            fields: { summary, checkpoint_transcript_start: 8 },
          },
        ],
      ],
    ],
    "v1",
  );
  await write(
    [
      [
        second,
        [
          {
            sessionId: "beta",
            createdAt: "2026-03-01T00:00:00Z",
            transcript: generateTranscript(2, 1),
            fields: { agent: "Codex", branch: "topic", token_usage: tokens(7) },
          },
          {
            sessionId: "gamma",
            createdAt: "2026-03-02T00:00:00Z",
            transcript: Buffer.from("{}\n"),
            fields: { agent: "Somebody" },
          },
        ],
      ],
    ],
    "refs",
  );
  const commit = (name: string, message: string) => {
    writeFileSync(join(repository.folder, name), `${name}\nsecond line\n`);
    repository.sh("add", name);
    repository.sh("commit", "-qm", message);
  };
  commit("plain.txt", "Nothing linked");
  commit("parser.ts", `Speed up\n\nEntire-Checkpoint: ${first}`);
  commit("glued.ts", `fix: thing Entire-Checkpoint: ${second}`);
  commit("gone.ts", `Lost\n\nEntire-Checkpoint: ${never}`);
  mkdirSync(join(repository.folder, "sub"));
});
afterAll(() => repository.remove());

describe("keyframe list", () => {
  test("shows the newest first, one prompt each", () => {
    const { stdout, stderr, status } = run("list");
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toBe(
      `${second}  2026-03-02 00:00:00  Codex, Somebody  main  2 files\n    first prompt of gamma\n` +
        `${first}  2026-02-16 12:01:04  Claude Code  main  1 file\n    first prompt of alpha\n`,
    );
  });

  test.each([
    [["--agent", "codex"], [second]],
    [["--session", "alp"], [first]],
    [["--file", "src/alpha.ts"], [first]],
    [
      ["--file", "src/"],
      [second, first],
    ],
    [["--file", "sr"], []],
    [["--since", "2026-02-17"], [second]],
    [["--until", "2026-02-16"], [first]],
    [
      ["--author", "tess@"],
      [second, first],
    ],
    [["--author", "nobody"], []],
    [["--branch", "topic"], []],
    [["--limit", "1"], [second]],
  ])("filters with %j", (flags, ids) => {
    expect(json("list", ...flags).map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test("refuses what is no date and no number", () => {
    expect(run("list", "--since", "soon").status).toBe(2);
    expect(run("list", "--limit", "-1").status).toBe(2);
  });
});

describe("keyframe explain", () => {
  test("a checkpoint by the beginning of its id: the fields in the order that scripts rely on", () => {
    const { stdout, status } = run("explain", first.slice(0, 6), "--short");
    expect(status).toBe(0);
    const commit = repository.sh("log", "-1", "--format=%h %as", "--grep=Speed up");
    expect(stdout).toBe(
      `Checkpoint: ${first}\nSession: alpha\nCreated: 2026-02-16 12:01:04\nAuthor: Tess <tess@example.com>\nTokens: 110\n\nCommits: (1)\n  ${commit} Speed up\n\nIntent: Make the parser faster\nOutcome: It is twice as fast\n\nLearnings:\n`,
    );
  });

  test("a line leads to the conversation of the commit that brought it", () => {
    const { stdout } = run("explain", "parser.ts:2");
    expect(stdout).toContain(`Checkpoint: ${first}`);
    expect(stdout).toContain(
      "Files: (1)\n  - src/alpha.ts\n\nTranscript (checkpoint scope):\n\n[User] prompt 2 of session 1: change <b>file 2</b>\n\n[Assistant] I will change file 2\n[Tool] Edit: src/file-2.ts\n",
    );
    expect(stdout).not.toContain("prompt 0 of session 1");
    expect(run("explain", "parser.ts:2", "--full").stdout).toContain("prompt 0 of session 1");
  });

  test("works from a subfolder, and shows the session that is asked for", () => {
    const result = spawnSync(
      process.execPath,
      [program, "explain", "../glued.ts:1", "--session", "beta", "--json"],
      { cwd: join(repository.folder, "sub"), encoding: "utf8" },
    );
    expect(JSON.parse(result.stdout)).toMatchObject({
      id: second,
      sessions: [{ sessionId: "beta" }, { sessionId: "gamma" }],
    });
    expect(run("explain", second).stdout).toContain("the format of this agent is not known");
  });

  test("--raw-transcript gives the stored bytes and nothing else", () => {
    expect(run("explain", first, "--raw-transcript").stdout).toBe(generateTranscript(1, 3).toString());
  });

  test("the branch: what its commits name, and what of that is not here", () => {
    expect(run("explain").stdout).toMatch(
      new RegExp(
        `^Branch: main\\nCheckpoints: 3\\n\\n\\[${never}\\] \\(not on this machine\\)\\n  .* Lost\\n\\n\\[${second}\\] "first prompt of gamma"\\n`,
      ),
    );
  });

  test.each([
    ["HEAD~3", 3, "does not have an Entire-Checkpoint trailer"],
    ["HEAD", 3, "no record of it is on this machine"],
    ["0123456789ab", 3, "checkpoint not found: 0123456789ab"],
    ["parser.ts:99", 3, "cannot find line 99 of parser.ts"],
  ])("%s ends with exit code %d and says: %s", (word, status, message) => {
    const result = run("explain", word);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(message);
  });

  test("a transcript that is not on this machine is an error, never an empty conversation", () => {
    const folder = `${first.slice(0, 2)}/${first.slice(2)}/0/full.jsonl`;
    const oid = repository.sh("rev-parse", `entire/checkpoints/v1:${folder}`);
    const copy = makeCheckpointRepository();
    try {
      spawnSync("cp", ["-r", `${repository.folder}/.git`, copy.folder]);
      rmSync(join(copy.folder, ".git/objects", oid.slice(0, 2), oid.slice(2)));
      const result = spawnSync(process.execPath, [program, "explain", first], {
        cwd: copy.folder,
        encoding: "utf8",
      });
      expect(result.status).toBe(3);
      expect(result.stderr).toContain(`recorded, but 1 of its 1 objects are not on this machine: ${oid}`);
      const found = spawnSync(process.execPath, [program, "search", "file", "--json"], {
        cwd: copy.folder,
        encoding: "utf8",
      });
      expect(JSON.parse(found.stdout).unsearched).toContainEqual({
        id: first,
        sessionId: "alpha",
        why: "missing here",
      });
    } finally {
      copy.remove();
    }
  });
});

describe("keyframe search, tokens and migrate", () => {
  test("search finds prompts, summaries and transcripts in any case, and only what holds all words", () => {
    const kinds = (...words: string[]) =>
      json("search", ...words).hits.map(
        ({ kind, sessionId }: { kind: string; sessionId: string }) => `${kind} ${sessionId}`,
      );
    expect(kinds("TWICE as fast")).toEqual(["summary alpha"]);
    expect(kinds("first", "BETA")).toEqual(["prompt beta"]);
    expect(kinds("change file 2")).toEqual(["assistant alpha"]);
    expect(kinds("<b>file 1")).toEqual(["user alpha"]);
    expect(kinds("kind")).toEqual([]);
    expect(run("search", "src/file-0.ts").stdout).toContain("1 found");
  });

  test("search works the same from an index that was damaged", () => {
    const folder = join(repository.folder, ".git/keyframe/search-v2");
    for (const name of spawnSync("ls", [folder], { encoding: "utf8" }).stdout.trim().split("\n"))
      writeFileSync(join(folder, name), "torn");
    expect(json("search", "TWICE").hits).toHaveLength(1);
  });

  test("tokens are summed by what is asked for", () => {
    expect(
      json("tokens").map(({ name, checkpoints }: { name: string; checkpoints: number }) => [
        name,
        checkpoints,
      ]),
    ).toEqual([
      ["Codex + Somebody", 1],
      ["Claude Code", 1],
    ]);
    expect(run("tokens", "--by", "month").stdout).toMatch(/month\s+checkpoints\s+input.*\n2026-03\s+1\s+107/);
  });

  test("migrate shows its plan, does it, and has nothing left to do", () => {
    expect(run("migrate", "--to", "v2", "--dry-run", "--force").status).toBe(2);
    expect(run("migrate", "--to", "v2", "--dry-run").stdout).toMatch(
      /CHECKPOINT.*\n.*2026-02-16 12:01:04\s+v1\n.*refs\n2 to migrate, 0 skipped/,
    );
    expect(repository.refs()).not.toContain("v2/main");
    expect(run("migrate", "--to", "v2", "--verify").stdout).toBe(
      "Migration complete: 2 migrated, 0 skipped, 0 failed\nVerified: 2 checkpoints with 3 sessions, 3 transcripts and 0 subagents' files are the same in number, order and digest.\n",
    );
    const before = run("explain", first).stdout;
    repository.sh("update-ref", "-d", "refs/heads/entire/checkpoints/v1");
    // the scope is counted otherwise there, and shows the same
    expect(run("explain", first).stdout.replace(/^Author: .*$/m, "")).toBe(
      before.replace(/^Author: .*$/m, ""),
    );
    expect(run("migrate", "--to", "v1").stdout).toContain("2 migrated");
    expect(run("migrate", "--to", "v2").stdout).toBe(
      "All 2 checkpoints are already in v2. Nothing to migrate.\n",
    );
    expect(json("list").map(({ stores }: { stores: string[] }) => stores)).toEqual([
      ["refs", "v1", "v2"],
      ["v1", "v2"],
    ]);
  });
});
