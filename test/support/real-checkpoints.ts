import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixturePath, sharedDataPath } from "./shared-data.ts";

/**
 * Bare repositories with real checkpoints: `sample` is in the project, the others lie beside it where it has such a
 * neighbour. They are unpacked for each test file, because tests write to them.
 */
const archive = sharedDataPath("checkpoints-real.tar.gz");

export type RealRepository = "sample" | "auth-go" | "herdr-trails" | "roger-roger" | "skills" | "test-repo";

export const hasRealCheckpoints = archive !== undefined;
if (!hasRealCheckpoints) {
  process.stderr.write(
    "of the tests on real checkpoints only those on the sample run: no checkpoints-real.tar.gz beside the project or in KEYFRAME_TEST_DATA\n",
  );
}

export function unpackRealCheckpoints(): { path(name: RealRepository): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "kf-real-"));
  if (archive !== undefined) execFileSync("tar", ["xzf", archive, "-C", folder]);
  const sample = join(folder, "sample.git");
  execFileSync("git", ["init", "-q", "--bare", sample]);
  execFileSync("git", ["-C", sample, "fast-import", "--quiet", "--done"], {
    input: readFileSync(fixturePath("checkpoints.fast-import")),
  });
  return {
    path: (name) => join(folder, `${name}.git`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
