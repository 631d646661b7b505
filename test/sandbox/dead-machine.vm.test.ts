import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectSandboxGarbage } from "../../src/sandbox/removal/collect-garbage.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { findSandbox, listSandboxes, sandboxState } from "../../src/sandbox/store/sandbox-store.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// A machine that ends without being stopped, as after a power cut: its work is on its disk.

let lab: SandboxLab;
let sandbox: SandboxRecord;
const folder = mkdtempSync(join(tmpdir(), "sbx-dead-"));

beforeAll(async () => {
  lab = openSandboxLab();
  ({ record: sandbox } = await lab.boot("work"));
});
afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

const now = () => findSandbox(lab.context, sandbox.id);

async function kill(): Promise<void> {
  const { machine } = now();
  if (machine === undefined) throw new Error("it has no machine");
  lab.context.processTable.signal(machine.process, "SIGKILL");
  while (lab.context.processTable.isRunning(machine.process)) await lab.context.clock.sleep(5);
  expect(sandboxState(lab.context, now())).toBe("dead");
}

test("a killed machine's files are copied out, and it starts again from its disk under its name", async () => {
  await lab.sh(sandbox, "echo precious > /root/work && sync");
  await kill();
  await collectSandboxGarbage(lab.context, {});
  const doctor = lab.cli(["doctor", "--repair", "--json"], {}, lab.context.home.root);
  expect(doctor.stdout).toContain("sandbox resume work");
  const copied = lab.cli(["sandbox", "cp", "work:/root/work", join(folder, "work")]);
  expect([copied.code, copied.stderr]).toEqual([0, expect.stringContaining("copied 1 files")]);
  expect(readFileSync(join(folder, "work"), "utf8")).toBe("precious\n");
  expect(listSandboxes(lab.context)).toHaveLength(1);
  expect(lab.cli(["sandbox", "cp", folder, "work:/root/in"])).toMatchObject({
    code: expect.any(Number),
    stderr: expect.stringContaining("sandbox resume work"),
  });
  const resumed = lab.cli(["sandbox", "resume", "work"]);
  expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining("starts from its disk")]);
  expect(now().id).toBe(sandbox.id);
  expect(await lab.sh(now(), "cat /root/work; hostname")).toBe("precious\nwork");
});

test("a later snapshot is offered, and a resume that is killed loses nothing", async () => {
  expect(lab.cli(["sandbox", "snapshot", "work", "--name", "later"]).code).toBe(0);
  await lab.sh(now(), "echo after > /root/after && sync");
  await kill();
  const cut = lab.cli(["sandbox", "resume", "work"], { KEYFRAME_FAULT: "start:after-record" });
  expect(cut.signal ?? cut.code).not.toBe(0);
  expect(sandboxState(lab.context, now())).toBe("dead");
  await collectSandboxGarbage(lab.context, {});
  const resumed = lab.cli(["sandbox", "resume", "work"]);
  expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining("sandbox run later")]);
  expect(await lab.sh(now(), "cat /root/work /root/after")).toBe("precious\nafter");
});

test("a stopped sandbox whose resume is killed is still stopped and resumes with its memory", async () => {
  await lab.sh(now(), "mount -t tmpfs none /mnt && echo in-memory > /mnt/x");
  expect(lab.cli(["sandbox", "stop", "work"]).code).toBe(0);
  lab.cli(["sandbox", "resume", "work"], { KEYFRAME_FAULT: "start:after-record" });
  expect(sandboxState(lab.context, now())).toBe("stopped");
  expect(lab.cli(["sandbox", "resume", "work"]).code).toBe(0);
  expect(await lab.sh(now(), "cat /mnt/x")).toBe("in-memory");
});

test("a time to live that is over leaves the disk", async () => {
  expect(lab.cli(["sandbox", "stop", "work"]).code).toBe(0);
  expect(lab.cli(["sandbox", "resume", "work", "--ttl", "30s"]).code).toBe(0);
  await lab.sh(now(), "echo ttl > /root/ttl && sync");
  while (sandboxState(lab.context, now()) === "running") await lab.context.clock.sleep(100);
  await collectSandboxGarbage(lab.context, {});
  expect(lab.cli(["sandbox", "resume", "work"]).code).toBe(0);
  expect(await lab.sh(now(), "cat /root/ttl")).toBe("ttl");
});
