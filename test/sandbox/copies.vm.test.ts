import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyIn, copyOut } from "../../src/sandbox/guest/copy-files.ts";
import { withGuest } from "../../src/sandbox/guest/session.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// Copies are one stream each way, whatever the number of files.

let lab: SandboxLab;
let sandbox: SandboxRecord;
const folder = mkdtempSync(join(tmpdir(), "sbx-copy-"));
const source = join(folder, "in");

beforeAll(async () => {
  lab = openSandboxLab();
  ({ record: sandbox } = await lab.boot("copies"));
  for (let index = 0; index < 865; index += 1) {
    const inside = join(source, `dir ${index % 20}`, `übung-${index % 7}`, "x".repeat(120));
    mkdirSync(inside, { recursive: true });
    writeFileSync(join(inside, `file ${index}`), `content ${index}\n`.repeat(index % 50), {
      mode: index % 3 === 0 ? 0o755 : 0o644,
    });
  }
  writeFileSync(join(source, "large"), Buffer.alloc(8 * 1024 * 1024, "large"));
});
afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("865 files and a large one are the same inside", async () => {
  const sent = await withGuest(lab.context, sandbox, (guest) => copyIn(nodeFiles, guest, source, "/root/in"));
  expect(sent).toMatchObject({ fileCount: 866, skipped: [] });
  const here = execFileSync("sh", ["-c", listing], { cwd: source, encoding: "utf8" }).trim();
  expect(await lab.sh(sandbox, listing, { cwd: "/root/in" })).toBe(here);
});

test("they are the same when they come back", async () => {
  const out = join(folder, "out");
  const got = await withGuest(lab.context, sandbox, (guest) => copyOut(nodeFiles, guest, "/root/in", out));
  expect(got).toMatchObject({ fileCount: 866, skipped: [] });
  execFileSync("diff", ["-r", source, out]);
});

test("one file goes in and out under another name, over what was there", async () => {
  await withGuest(lab.context, sandbox, async (guest) => {
    await copyIn(nodeFiles, guest, join(source, "large"), "/srv/deep/copy");
    await copyIn(nodeFiles, guest, join(source, "large"), "/srv/deep/copy");
    await copyOut(nodeFiles, guest, "/srv/deep/copy", join(folder, "copy"));
    await expect(copyOut(nodeFiles, guest, "/srv/none", join(folder, "none"))).rejects.toMatchObject({
      code: "not-found",
    });
  });
  expect(readFileSync(join(folder, "copy")).equals(readFileSync(join(source, "large")))).toBe(true);
});

test("a copy that is cut off leaves nothing half in the guest", async () => {
  const breaking = {
    ...nodeFiles,
    *readChunks() {
      yield Buffer.alloc(0);
      throw new Error("the source broke");
    },
  };
  await withGuest(lab.context, sandbox, async (guest) => {
    await expect(copyIn(breaking, guest, source, "/root/half")).rejects.toThrow(/source broke/);
  });
  expect(await lab.sh(sandbox, "ls -a /root | grep half || echo none")).toBe("none");
});

/** Names, modes and digests of all files. */
const listing =
  "find . -type f -printf '%P %m\\n' | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
