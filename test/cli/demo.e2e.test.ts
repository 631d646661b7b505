// Covers src/cli/demo/**.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keyframeProgram } from "../support/test-repository.ts";

function run(args: readonly string[], env: NodeJS.ProcessEnv) {
  const result = spawnSync(process.execPath, [keyframeProgram, ...args], { env, encoding: "utf8" });
  expect([result.stderr, result.status]).toEqual(["", 0]);
  return result.stdout;
}

test("the demo of two agents and a person shows whose every line is, leaves nothing behind, and keeps the repository when asked", () => {
  const folder = mkdtempSync(join(tmpdir(), "kf-demo-"));
  // no home and no configuration of git: what a fresh machine has
  const env = { PATH: process.env["PATH"], TMPDIR: folder, HOME: folder };
  try {
    const text = run(["demo"], env);
    expect(text.match(/^\d+\. /gm)).toHaveLength(10);
    expect(text).toMatch(
      /CHANGES\.md +claude 1 line, codex 1 line\n +slug\.js +claude 3 lines, codex 1 line, Dana <dana@example\.com> 2 lines/,
    );
    expect(text).toMatch(/claude +1\) export function slug/);
    expect(text).toMatch(/codex\/gpt-5\.5 +3\) +return words\.slice/);
    expect(text).toMatch(/codex\/gpt-5\.5 +5\) - slug\(\): at most eight words/);
    expect(text).toMatch(/Dana +6\) export const home/);
    expect(text).toContain("$ keyframe stats HEAD");
    expect(text).toMatch(/│ ○ +[0-9a-f]{12} .* Keep at most .* codex /);
    expect(text).toMatch(/before-codex {2}\S+repository\.forks\/before-codex {2}keyframe\/before-codex/);
    expect(text).toMatch(/\$ keyframe rewind --to [0-9a-f]{12}\n(?: .*\n)* .*slug\.js/);
    expect(text).toContain("$ keyframe rewind --undo");
    expect(text).not.toContain("Problems in hooks");
    expect(text).not.toContain("\u001b");
    expect(readdirSync(folder)).toEqual([]);
    const kept = /The repository is (.*)/.exec(run(["demo", "--keep"], env))?.[1] ?? "";
    expect(existsSync(join(kept, ".git/refs/notes/ai"))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
