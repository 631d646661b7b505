import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { listSnapshots, snapshotFiles } from "../../src/sandbox/store/snapshot-store.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// What a guest finds, and what is said of sandboxes and snapshots when something is wrong with them.

let lab: SandboxLab;
let sandbox: SandboxRecord;

beforeAll(async () => {
  lab = openSandboxLab();
  ({ record: sandbox } = await lab.boot("work"));
});
afterAll(() => lab?.close());

test("a guest knows localhost and itself, has the time, randomness, shared memory and IPv6 on its loopback", async () => {
  expect(await lab.sh(sandbox, "getent ahostsv4 localhost | head -1")).toContain("127.0.0.1");
  expect(await lab.sh(sandbox, "getent hosts work; hostname")).toMatch(/127\.0\.0\.1\s.*work[\s\S]*work$/);
  expect(await lab.sh(sandbox, "cat /etc/hosts")).toContain("::1 localhost");
  expect(await lab.sh(sandbox, "cat /proc/net/if_inet6")).toContain("00000000000000000000000000000001");
  expect(await lab.sh(sandbox, "stat -f -c %T /dev/shm; echo $LANG")).toBe("tmpfs\nC.UTF-8");
  const seconds = Number(await lab.sh(sandbox, "date +%s"));
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
  expect(await lab.sh(sandbox, "head -c 16 /dev/random | wc -c")).toBe("16");
});

test("lines of the image's own stay in /etc/hosts, and a child has its own name there", async () => {
  await lab.sh(sandbox, "echo '10.1.2.3 registry' >> /etc/hosts");
  expect(lab.cli(["sandbox", "snapshot", "work", "--name", "named"]).code).toBe(0);
  expect(lab.cli(["sandbox", "run", "named", "--name", "child"]).code).toBe(0);
  const hosts = lab.cli(["sandbox", "exec", "child", "--", "cat", "/etc/hosts"]).stdout;
  expect(hosts).toContain("10.1.2.3 registry");
  expect(hosts).toMatch(/^127\.0\.0\.1 localhost child /m);
  expect(hosts).not.toMatch(/work/);
  expect(lab.cli(["sandbox", "rm", "child"]).code).toBe(0);
});

test("what a removed sandbox alone referred to is gone at once", async () => {
  const disks = () => lab.context.files.listIfExists(lab.context.home.folder("disks"))?.length;
  const before = disks();
  expect(lab.cli(["sandbox", "run", "named", "--name", "gone"]).code).toBe(0);
  expect(disks()).toBeGreaterThan(before ?? 0);
  expect(lab.cli(["sandbox", "rm", "gone"]).code).toBe(0);
  expect(disks()).toBe(before);
});

test("a memory file that was cut off is noticed although its flat image is there, and no child is an error", () => {
  const [snapshot] = listSnapshots(lab.context).filter(({ name }) => name === "named");
  if (snapshot === undefined) throw new Error("no snapshot");
  const { memory } = snapshotFiles(lab.context, snapshot.id);
  const bytes = readFileSync(memory);
  // what lies behind was reserved and never written
  const { fileBytes = 0 } = snapshot.memory ?? {};
  truncateSync(memory, fileBytes - 1);
  const cut = lab.cli(["sandbox", "run", "named", "--count", "2"]);
  expect(cut.code).not.toBe(0);
  expect(cut.stderr).toMatch(new RegExp(`named.*${fileBytes - 1} of ${fileBytes} bytes`));
  writeFileSync(memory, bytes);
  const both = lab.cli(["snapshot", "rm", "named", "--cascade", "--force"]);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("--cascade")]);
});
