import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WrittenFiles } from "../../src/race/checks/report-files.ts";
import { runChecks } from "../../src/race/checks/run-checks.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { scratchFolder } from "../support/scratch.ts";

// What an agent wrote into its worktree is judged by: it must not be able to hide a failure.

const report = '<testsuite><testcase classname="a" name="b"/></testsuite>';

/** Runs a check whose command writes these reports, in a directory that may hold others. */
async function check(directory: string, write: () => void = () => undefined) {
  const place = {
    directory,
    env: {},
    logPath: join(directory, "log"),
    marker: "m",
    timeoutMs: 1000,
    reports: new WrittenFiles(nodeFiles, [{ at: "", directory }]),
  };
  const startContained = () => {
    write();
    const ended = Promise.resolve({ code: 0, timedOut: false });
    return { pid: 1, containment: "group" as const, ended, countProcesses: () => 0, kill: () => undefined };
  };
  const deps = { files: nodeFiles, clock: nodeClock, startContained };
  const specs = [
    { kind: "command", text: "run" },
    { kind: "junit", text: "reports/*.xml" },
  ] as const;
  return (await runChecks(deps, specs, place))[1];
}

test("a report that is too large to read fails its check, whatever the others say", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  const one = () => writeFileSync(join(directory, "reports/a.xml"), report);
  expect(await check(directory, one)).toMatchObject({ passed: true });
  const two = () => {
    one();
    writeFileSync(join(directory, "reports/b.xml"), report);
    truncateSync(join(directory, "reports/b.xml"), 5 * 1024 ** 3);
  };
  expect(await check(directory, two)).toMatchObject({
    passed: false,
    problem: expect.stringContaining("is larger than"),
  });
});

test("a report that is a link is none", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  writeFileSync(join(directory, "outside"), report);
  const link = () => symlinkSync("../outside", join(directory, "reports/a.xml"));
  expect(await check(directory, link)).toMatchObject({ passed: false });
});

test("a report that was there before the command ran is none", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  writeFileSync(join(directory, "reports/a.xml"), report);
  expect(await check(directory)).toMatchObject({ passed: false, problem: "no report matches reports/*.xml" });
});

test("a report that is a pipe is none, and nobody waits for its writer", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  execFileSync("mkfifo", [join(directory, "reports/a.xml")]);
  expect(await check(directory)).toMatchObject({ passed: false, problem: "no report matches reports/*.xml" });
});

test("a report that lies behind a link to a directory is none", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "outside"));
  writeFileSync(join(directory, "outside/a.xml"), report);
  symlinkSync("outside", join(directory, "reports"));
  expect(await check(directory)).toMatchObject({ passed: false });
});

test("a report of entities that name each other grows by no more than a limit", async () => {
  const directory = scratchFolder();
  mkdirSync(join(directory, "reports"));
  const entities = Array.from({ length: 12 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`);
  const bomb = `<!DOCTYPE x [<!ENTITY e0 "x">${entities.join("")}]><testsuite><testcase name="&e12;"/></testsuite>`;
  writeFileSync(join(directory, "reports/a.xml"), bomb);
  expect(JSON.stringify(await check(directory)).length).toBeLessThan(1_000_000);
});
