// Covers src/workflows/user-program.ts, src/workflows/summarize/**.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { startContained } from "../../src/system/process/contained-process.ts";
import { runUserProgram } from "../../src/workflows/user-program.ts";

test("a command that does not end is ended with all it started, and leaves no directory behind", async () => {
  const place = mkdtempSync(join(tmpdir(), "kf-summary-"));
  const deps = { ...nodeMachine, env: process.env, startContained };
  const said = join(place, "said");
  const command = `pwd >'${said}'; sleep 600 & sleep 600`;
  try {
    await expect(
      runUserProgram(deps, { command, what: "it", input: "x".repeat(1_000_000), timeoutMs: 1500 }),
    ).rejects.toMatchObject({ code: "timed-out" });
    const directory = readFileSync(said, "utf8").trim();
    expect(directory).toMatch(/\/empty$/);
    expect(existsSync(directory)).toBe(false);
  } finally {
    rmSync(place, { recursive: true });
  }
});
