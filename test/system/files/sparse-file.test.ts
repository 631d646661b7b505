import { spawn } from "node:child_process";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { scratchFolder } from "../../support/scratch.ts";

const KiB = 1024;

test("a file of blocks reads what was written at any position, short at its end, sync and async alike", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ at: fc.nat(5000), length: fc.nat(3000), sync: fc.boolean() }), { maxLength: 8 }),
      async (steps) => {
        const file = openNodeSparseFile(join(scratchFolder(), "f"), { mode: "create" });
        let model = Buffer.alloc(0);
        for (const [index, { at, length, sync }] of steps.entries()) {
          const bytes = Buffer.alloc(length, index + 1);
          if (sync) file.writeSync(bytes, at);
          else await file.write(bytes, at);
          if (length > 0 && at + length > model.length) {
            model = Buffer.concat([model, Buffer.alloc(at + length - model.length)]);
          }
          bytes.copy(model, at);
          const into = Buffer.alloc(4000, 0xee);
          const expected = model.subarray(at, at + 4000);
          expect(file.readSync(into, at)).toBe(expected.length);
          expect(into.subarray(0, expected.length).equals(expected)).toBe(true);
          expect(await file.read(into, at)).toBe(expected.length);
          expect(into.subarray(0, expected.length).equals(expected)).toBe(true);
        }
        expect(file.sizeBytes()).toBe(model.length);
        await file.close();
      },
    ),
    { numRuns: 40 },
  );
});

test("room is given by preallocating, taken back by punching, and both read as zeros", async () => {
  const file = openNodeSparseFile(join(scratchFolder(), "f"), { mode: "create" });
  const range = { offsetBytes: 64 * KiB, lengthBytes: 256 * KiB };
  expect(file.preallocate(range)).toBe(true);
  expect(file.allocatedBytes()).toBeGreaterThanOrEqual(256 * KiB);
  expect(file.sizeBytes()).toBe(320 * KiB);
  file.writeSync(Buffer.alloc(256 * KiB, 7), 64 * KiB);
  expect(file.punchHole(range)).toBe(true);
  expect(file.allocatedBytes()).toBe(0);
  const into = Buffer.alloc(256 * KiB, 1);
  file.readSync(into, 64 * KiB);
  expect(into.equals(Buffer.alloc(256 * KiB))).toBe(true);
  await file.close();
});

test("the runs of a sparse file say where its data is, and cover every range that is asked", async () => {
  const file = openNodeSparseFile(join(scratchFolder(), "f"), { mode: "create" });
  file.truncate(1024 * KiB);
  file.writeSync(Buffer.alloc(64 * KiB, 1), 256 * KiB);
  const runs = [...file.dataRuns({ offsetBytes: 0, lengthBytes: 1024 * KiB })];
  expect(runs).toEqual([
    { kind: "zero", offsetBytes: 0, lengthBytes: 256 * KiB },
    { kind: "data", offsetBytes: 256 * KiB, lengthBytes: 64 * KiB },
    { kind: "zero", offsetBytes: 320 * KiB, lengthBytes: 704 * KiB },
  ]);
  expect([...file.dataRuns({ offsetBytes: 260 * KiB, lengthBytes: 4 * KiB })]).toEqual([
    { kind: "data", offsetBytes: 260 * KiB, lengthBytes: 4 * KiB },
  ]);
  expect([...file.dataRuns({ offsetBytes: 0, lengthBytes: 0 })]).toEqual([]);
  await file.close();
});

test("a lock holds against a second opener until the file is closed", async () => {
  const path = join(scratchFolder(), "f");
  const first = openNodeSparseFile(path, { mode: "create" });
  const second = openNodeSparseFile(path, { mode: "write" });
  expect(first.tryLock()).toBe(true);
  expect(second.tryLock()).toBe(false);
  await first.close();
  expect(second.tryLock()).toBe(true);
  await second.close();
});

test.skipIf(process.platform !== "linux")(
  "a lock ends with closing, also while a child that was just forked has a copy of the descriptor",
  async () => {
    const path = join(scratchFolder(), "f");
    const first = openNodeSparseFile(path, { mode: "create" });
    expect(first.tryLock()).toBe(true);
    const descriptor = readdirSync("/proc/self/fd").find((name) => linkOf(name) === path);
    const child = spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", Number(descriptor)] });
    try {
      await first.close();
      const second = openNodeSparseFile(path, { mode: "write" });
      expect(second.tryLock()).toBe(true);
      await second.close();
    } finally {
      child.kill();
    }
  },
);

/** What a descriptor of this process stands for; those of the listing itself are closed by now. */
function linkOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined; // closed meanwhile
  }
}

test("closing waits for what is under way and refuses what comes later", async () => {
  const path = join(scratchFolder(), "f");
  const file = openNodeSparseFile(path, { mode: "create" });
  const writing = file.write(Buffer.alloc(4 * 1024 * KiB, 5), 0);
  await file.close();
  await writing;
  expect(() => file.writeSync(Buffer.from("x"), 0)).toThrow(expect.objectContaining({ code: "closed" }));
  expect(() => file.readSync(Buffer.alloc(1), 0)).toThrow(expect.objectContaining({ code: "closed" }));
  await expect(file.write(Buffer.from("x"), 0)).rejects.toMatchObject({ code: "closed" });
  const again = openNodeSparseFile(path, { mode: "read" });
  const into = Buffer.alloc(4 * 1024 * KiB);
  again.readSync(into, 0);
  expect(into.equals(Buffer.alloc(4 * 1024 * KiB, 5))).toBe(true);
  await again.close();
});

test("errors of the machine have our codes", () => {
  const folder = scratchFolder();
  expect(() => openNodeSparseFile(join(folder, "absent"), { mode: "read" })).toThrow(
    expect.objectContaining({ code: "not-found" }),
  );
  writeFileSync(join(folder, "f"), "x");
  const reader = openNodeSparseFile(join(folder, "f"), { mode: "read" });
  expect(() => reader.writeSync(Buffer.from("y"), 0)).toThrow(expect.objectContaining({ code: "io-failed" }));
  const full = openNodeSparseFile("/dev/full", { mode: "write" });
  expect(() => full.writeSync(Buffer.from("y"), 0)).toThrow(expect.objectContaining({ code: "disk-full" }));
  reader.closeSync();
  full.closeSync();
});
