import { execFileSync } from "node:child_process";
import { unpackRealCheckpoints } from "../../test/support/real-checkpoints.ts";

/** All that real repositories hold of conversations, file by file, until so many bytes are given. */
export function* realTexts(maxBytes: number): Generator<Buffer> {
  const unpacked = unpackRealCheckpoints();
  try {
    let bytes = 0;
    for (const name of ["auth-go", "herdr-trails", "roger-roger", "skills"] as const) {
      const git = (...args: string[]) =>
        execFileSync("git", args, { cwd: unpacked.path(name), maxBuffer: 1 << 30 });
      const objects = git("cat-file", "--batch-check", "--batch-all-objects").toString("utf8").split("\n");
      for (const oid of objects
        .filter((line) => line.includes(" blob "))
        .map((line) => line.split(" ")[0] ?? "")) {
        if (bytes > maxBytes) return;
        const text = git("cat-file", "blob", oid);
        bytes += text.length;
        yield text;
      }
    }
  } finally {
    unpacked.remove();
  }
}
