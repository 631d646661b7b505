import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChecks } from "../../src/race/checks/run-checks.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { scratchFolder } from "../support/scratch.ts";

// What an agent wrote into its worktree is judged by: it must not be able to hide a failure.

const report = '<testsuite><testcase classname="a" name="b"/></testsuite>';

async function check(directory: string) {
  const place = { directory, env: {}, logPath: join(directory, "log"), marker: "m", timeoutMs: 1000 };
  const startContained = () => {
    throw new Error("no command is run");
  };
  const deps = { files: nodeFiles, clock: nodeClock, startContained };
  return (await runChecks(deps, [{ kind: "junit", text: "reports/*.xml" }], place))[0];
}

test("a report that is too large to read fails its check, whatever the others say", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  writeFileSync(join(directory, "reports/a.xml"), report);
  expect(await check(directory)).toMatchObject({ passed: true });
  writeFileSync(join(directory, "reports/b.xml"), report);
  truncateSync(join(directory, "reports/b.xml"), 5 * 1024 ** 3);
  expect(await check(directory)).toMatchObject({
    passed: false,
    problem: expect.stringContaining("is larger than"),
  });
});

test("a report that is a link is none", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  writeFileSync(join(directory, "outside"), report);
  symlinkSync("../outside", join(directory, "reports/a.xml"));
  expect(await check(directory)).toMatchObject({ passed: false });
});
