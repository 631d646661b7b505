// Covers src/sandbox/tar/**.
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isKeyframeError } from "../../../src/base/errors.ts";
import { readTar } from "../../../src/sandbox/tar/read-tar.ts";
import { nameOfText, textOfName } from "../../../src/sandbox/tar/tar-entry.ts";
import { scratchFolder } from "../../support/scratch.ts";
import { type TarMemberSpec, tarOf } from "../../support/tar-of.ts";

const limits = { maxEntries: 1000, maxContentBytes: 1024 ** 2 };

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function members(bytes: Buffer, size = 4096) {
  const found = [];
  for await (const member of readTar(cut(bytes, size), limits)) {
    const pieces: Buffer[] = [];
    for await (const piece of member.content()) pieces.push(piece);
    const { entry } = member;
    found.push({ path: textOfName(entry.path), kind: entry.kind, content: Buffer.concat(pieces).toString() });
  }
  return found;
}

test("what is written reads back, in any cut of the stream", async () => {
  const name = fc
    .string({ minLength: 1, maxLength: 300, unit: "grapheme" })
    .filter((text) => !text.includes("\0") && !text.endsWith("/"));
  const member = fc.record({ path: name, content: fc.string({ maxLength: 2000 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5000 }),
      async (specs, size) => {
        const expected = specs.map(({ path, content }) => ({ path, kind: "file", content }));
        expect(await members(tarOf(specs), size)).toEqual(expected);
      },
    ),
    { numRuns: 50 },
  );
});

test("tars of GNU tar in each of its formats are read, long names and links included", async () => {
  const folder = scratchFolder();
  const deep = "d".repeat(90);
  mkdirSync(join(folder, "in", deep, deep), { recursive: true });
  writeFileSync(join(folder, "in", deep, deep, "übung"), "content");
  symlinkSync(`/${deep}`, join(folder, "in", "link"));
  for (const format of ["gnu", "oldgnu", "pax", "ustar"]) {
    const tar = execFileSync("tar", [
      `--format=${format}`,
      "--sort=name",
      "-cf",
      "-",
      "-C",
      join(folder, "in"),
      ".",
    ]);
    expect(await members(tar)).toEqual([
      { path: "./", kind: "folder", content: "" },
      { path: `./${deep}/`, kind: "folder", content: "" },
      { path: `./${deep}/${deep}/`, kind: "folder", content: "" },
      { path: `./${deep}/${deep}/übung`, kind: "file", content: "content" },
      { path: "./link", kind: "symlink", content: "" },
    ]);
  }
});

test("GNU tar reads what is written", () => {
  const path = `${"long/".repeat(40)}name`;
  const tar = tarOf([{ path, content: "abc", userId: 3_000_000 }]);
  const list = execFileSync("tar", ["-tvf", "-", "--numeric-owner"], { input: tar, encoding: "utf8" });
  expect(list).toContain("3000000/0");
  expect(list).toContain(path);
  expect(execFileSync("tar", ["-xOf", "-"], { input: tar, encoding: "utf8" })).toBe("abc");
});

test("content that nobody reads is skipped, and a cut-off tar is damaged", async () => {
  const tar = tarOf([{ path: "a", content: "x".repeat(2000) }, { path: "b" }]);
  const names = [];
  for await (const { entry } of readTar(cut(tar, 700), limits)) names.push(entry.path);
  expect(names).toEqual(["a", "b"]);
  await expect(members(tar.subarray(0, 1500))).rejects.toMatchObject({ code: "damaged" });
});

test("limits hold for members and for bytes; sparse files and volumes are refused by name", async () => {
  const many: TarMemberSpec[] = Array.from({ length: 1001 }, (_, index) => ({ path: `f${index}` }));
  await expect(members(tarOf(many))).rejects.toMatchObject({ code: "too-large" });
  const large = { path: "large", content: Buffer.alloc(limits.maxContentBytes + 1) };
  await expect(members(tarOf([large]))).rejects.toMatchObject({ code: "too-large" });
  const folder = scratchFolder();
  execFileSync("truncate", ["-s", "1M", join(folder, "sparse")]);
  for (const format of ["gnu", "pax"]) {
    const tar = execFileSync("tar", [`--format=${format}`, "-cSf", "-", "-C", folder, "sparse"]);
    await expect(members(tar)).rejects.toMatchObject({ code: "refused" });
  }
});

test("any bytes are members or one of our errors", async () => {
  const real = tarOf([
    { path: "a/b", content: "hello" },
    { path: "x".repeat(200), kind: "symlink", linkTarget: "y".repeat(200) },
  ]);
  const edits = fc.array(fc.tuple(fc.nat(real.length - 1), fc.integer({ min: 0, max: 255 })), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(edits, async (changes) => {
      const bytes = Buffer.from(real);
      for (const [at, value] of changes) bytes.writeUInt8(value, at);
      // a right checksum lets the change through to what is behind it
      for (let at = 0; at + 512 <= bytes.length; at += 512) fixChecksum(bytes.subarray(at, at + 512));
      await members(bytes).catch((error: unknown) => {
        if (!isKeyframeError(error)) throw error;
      });
    }),
    { numRuns: 300 },
  );
});

function fixChecksum(block: Buffer): void {
  if (block.toString("latin1", 257, 262) !== "ustar") return;
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

test("a name of any bytes survives", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => textOfName(nameOfText(text)) === text));
});
