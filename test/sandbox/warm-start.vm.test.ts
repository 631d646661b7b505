import { afterAll, beforeAll, expect, test } from "vitest";
import { collectSandboxGarbage } from "../../src/sandbox/removal/collect-garbage.ts";
import { findSandbox, listSandboxes } from "../../src/sandbox/store/sandbox-store.ts";
import { listSnapshots, snapshotFiles } from "../../src/sandbox/store/snapshot-store.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// What starts from an image starts where an earlier machine had booted.

let lab: SandboxLab;

beforeAll(() => {
  lab = openSandboxLab();
});
afterAll(() => lab?.close());

const run = (...args: string[]) =>
  lab.cli(["sandbox", "run", "debian", "--memory", "160M", "--disk", "1G", ...args]);

test("the first start makes a warm start, the next ones share it, and each is a machine of its own", async () => {
  const first = run("--name", "one", "--env", "A=1");
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("making its warm start")]);
  const second = run("--name", "two");
  expect(second.code).toBe(0);
  expect(second.stderr).not.toContain("making");
  expect(listSandboxes(lab.context).map(({ name }) => name)).toEqual(["one", "two"]);
  const [one, two] = [findSandbox(lab.context, "one"), findSandbox(lab.context, "two")];
  expect(one.base).toBe(two.base);
  const said = [];
  for (const each of [one, two])
    said.push(await lab.sh(each, "hostname; cat /etc/machine-id; head -c 8 /dev/urandom | od -An -tx1"));
  expect(said[0]).toMatch(/^one\n/);
  expect(said[1]).toMatch(/^two\n/);
  expect(new Set(said.flatMap((text) => text.split("\n"))).size).toBe(6);
  expect(lab.cli(["snapshot", "ls", "--json"]).stdout.trim()).toBe("[]");
});

test("a branch of a machine from an image stores what has changed since, not what booting touched", async () => {
  const [warm] = listSnapshots(lab.context);
  expect(lab.cli(["sandbox", "snapshot", "two", "--name", "branch"]).code).toBe(0);
  const branch = listSnapshots(lab.context).find(({ name }) => name === "branch");
  expect(branch?.parent?.id).toBe(warm?.id);
  expect((branch?.memory?.dataPages ?? 0) * 4).toBeLessThan(warm?.memory?.dataPages ?? 0);
});

test("--cold boots, other sizes have a warm start of their own, and one that is damaged is made anew", () => {
  expect(run("--name", "cold", "--cold").code).toBe(0);
  expect(findSandbox(lab.context, "cold").base).toBeUndefined();
  const larger = lab.cli([
    "sandbox",
    "run",
    "debian",
    "--memory",
    "192M",
    "--disk",
    "1G",
    "--name",
    "larger",
  ]);
  expect([larger.code, larger.stderr]).toEqual([0, expect.stringContaining("making its warm start")]);
  const { base } = findSandbox(lab.context, "larger");
  if (base === undefined) throw new Error("it booted");
  expect(lab.cli(["sandbox", "rm", "larger"]).code).toBe(0);
  lab.context.files.replace(snapshotFiles(lab.context, base).deviceState, Buffer.from("x"));
  const again = lab.cli(["sandbox", "run", "debian", "--memory", "192M", "--disk", "1G", "--name", "again"]);
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining("no warm start of debian")]);
});

test("a policy of gc keeps warm starts while their image is there, and they go with it", async () => {
  const { base } = findSandbox(lab.context, "one");
  const policy = { olderThanMs: 0, keep: 0 };
  for (const name of ["one", "two", "cold", "again"]) expect(lab.cli(["sandbox", "rm", name]).code).toBe(0);
  expect(lab.cli(["snapshot", "rm", "branch"]).code).toBe(0);
  await collectSandboxGarbage(lab.context, policy);
  expect(listSnapshots(lab.context).map(({ id }) => id)).toContain(base);
  lab.context.files.remove(lab.context.home.imageRecord("debian"));
  await collectSandboxGarbage(lab.context, {});
  expect(listSnapshots(lab.context).map(({ id }) => id)).not.toContain(base);
});
