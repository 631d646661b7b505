import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { watchScript } from "../../../src/workflows/machine/watch-turns.ts";
import { scratchFolder } from "../../support/scratch.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

function watch(directory: string, mark: string) {
  const child = spawn("bash", ["-c", watchScript(directory, mark)], { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  return { child, printed: () => once(child.stdout, "data"), ended: once(child, "close") };
}

test("each change of the directory is told, and a watcher ends when another begins", async () => {
  const folder = scratchFolder();
  const directory = join(folder, "it's turns");
  const mark = join(folder, "mark");
  mkdirSync(directory);
  const first = watch(directory, mark);
  expect(String(await first.printed())).toBe("turn\n");
  const again = first.printed();
  mkdirSync(join(directory, "a"));
  expect(String(await again)).toBe("turn\n");
  rmdirSync(join(directory, "a"));
  const second = watch(directory, mark);
  expect(String(await second.printed())).toBe("turn\n");
  expect(await first.ended).toEqual([0, null]);
  expect(second.child.exitCode).toBeNull();
});
