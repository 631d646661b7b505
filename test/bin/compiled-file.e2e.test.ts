import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let cache: string;
let edits = 0;

beforeAll(() => {
  repository = createTestRepository();
  repository.write("f.txt", "one\n");
  repository.commit("first");
  repository.keyframe(["enable"]);
  cache = join(repository.folder, "../cache");
});
afterAll(() => repository.remove());

/** An edit as an agent's hooks see it; returns how many lines the journal credits by now. */
function edit(): number {
  edits += 1;
  for (const event of ["PreToolUse", "PostToolUse"]) {
    if (event === "PostToolUse") repository.write("f.txt", `one\n${"more\n".repeat(edits)}`);
    const payload = {
      session_id: "s",
      transcript_path: join(repository.env["HOME"] ?? "", ".claude/projects/work/s.jsonl"),
      cwd: repository.folder,
      hook_event_name: event,
      tool_name: "Write",
      tool_use_id: `t${edits}`,
      tool_input: { file_path: join(repository.folder, "f.txt") },
    };
    const run = spawnSync(process.execPath, [keyframeProgram, "hook", "claude"], {
      cwd: repository.folder,
      env: { ...repository.env, XDG_CACHE_HOME: cache },
      input: JSON.stringify(payload),
      encoding: "utf8",
    });
    expect(run).toMatchObject({ status: 0, stdout: "", stderr: "" });
  }
  const { pending } = JSON.parse(repository.keyframe(["status", "--json"]).stdout) as {
    readonly pending: readonly { readonly owners: readonly { readonly lines: number }[] }[];
  };
  return pending[0]?.owners[0]?.lines ?? 0;
}

const folder = () => join(cache, "keyframe/code");
const kept = () => readdirSync(folder()).map((name) => join(folder(), name));
/** What every hook loads: the largest of what is kept. */
function compiled(): string {
  const sizes = kept().map((path) => ({ path, size: statSync(path).size }));
  return sizes.reduce((largest, each) => (each.size > largest.size ? each : largest)).path;
}
function beforeAMinute(): void {
  const then = Date.now() / 1000 - 120;
  for (const path of kept()) utimesSync(path, then, then);
}

test("what is used again after a minute is kept compiled, and what was kept is used only where it is whole and the user's", () => {
  edit();
  expect(statSync(compiled()).size).toBe(0);
  edit();
  expect(statSync(compiled()).size, "not before a minute has gone by").toBe(0);
  beforeAMinute();
  edit();
  const path = compiled();
  const whole = statSync(path);
  expect(whole.size).toBeGreaterThan(100_000);
  expect(whole.mode & 0o777).toBe(0o600);
  expect(kept().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  edit();
  expect(statSync(path).mtimeMs, "it is kept as it is").toBe(whole.mtimeMs);

  writeFileSync(path, "not compiled code".repeat(1000));
  edit();
  beforeAMinute();
  edit();
  expect(statSync(path).size, "what V8 refuses is made again").toBeGreaterThan(100_000);

  chmodSync(path, 0o666);
  writeFileSync(path, "anybody's");
  edit();
  expect(edit(), "each edit is recorded, whatever lay in the cache").toBe(8);
});

test("a cache that cannot be written holds nothing up", () => {
  const before = cache;
  cache = join(repository.folder, "../no-directory");
  writeFileSync(cache, "");
  edit();
  cache = join(repository.folder, "../other");
  mkdirSync(cache, { mode: 0o500 });
  edit();
  cache = before;
  expect(existsSync(folder())).toBe(true);
});
