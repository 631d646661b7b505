import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Bare repositories with real checkpoints lie beside the project, where the project has such a neighbour. They are
 * unpacked for each test file, because tests write to them.
 */
const archive = resolve(import.meta.dirname, "../../../shared/data/checkpoints-real.tar.gz");

export type RealRepository = "auth-go" | "herdr-trails" | "roger-roger" | "skills" | "test-repo";

export const hasRealCheckpoints = existsSync(archive);
if (!hasRealCheckpoints) {
  process.stderr.write(
    "tests on real checkpoints are skipped: ../shared/data/checkpoints-real.tar.gz is not there\n",
  );
}

export function unpackRealCheckpoints(): { path(name: RealRepository): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "kf-real-"));
  execFileSync("tar", ["xzf", archive, "-C", folder]);
  return {
    path: (name) => join(folder, `${name}.git`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
