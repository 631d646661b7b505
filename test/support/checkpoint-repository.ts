import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CheckpointStores, openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { type Git, openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";

/** A repository in a temporary directory, with the stores opened on it. */
export interface CheckpointRepository {
  readonly folder: string;
  readonly git: Git;
  readonly stores: CheckpointStores;
  /** Runs git there and returns its output, trimmed. */
  readonly sh: (...args: string[]) => string;
  /** All refs and what they hold, as one text. */
  refs(): string;
  remove(): void;
}

export function makeCheckpointRepository(...initFlags: string[]): CheckpointRepository {
  const folder = mkdtempSync(join(tmpdir(), "kf-checkpoints-"));
  execFileSync("git", ["init", "-q", "-b", "main", ...initFlags, folder]);
  execFileSync("git", ["-C", folder, "config", "user.name", "Tess"]);
  execFileSync("git", ["-C", folder, "config", "user.email", "tess@example.com"]);
  return openCheckpointRepository(folder);
}

export function openCheckpointRepository(folder: string): CheckpointRepository {
  const git = openGit(mustFindRepository(folder, nodeMachine), nodeProcesses);
  const sh = (...args: string[]) =>
    execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", maxBuffer: 1 << 30 }).trim();
  return {
    folder,
    git,
    stores: openCheckpointStores(git),
    sh,
    refs: () => sh("for-each-ref", "--format=%(refname) %(objectname)"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
