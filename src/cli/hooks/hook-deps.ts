import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { CommitDeps } from "../../checkpoints/commit/prepare-commit.ts";
import type { Repository } from "../../git/repository.ts";
import { type Machine, nodeMachine } from "../../system/machine/machine.ts";

/** What a hook may touch, once it does more than record. @throws KeyframeError where the repository's settings are damaged */
export function hookDeps(repository: Repository, machine: Machine = nodeMachine): CommitDeps {
  return { ...machine, ...readCaptureSettings(repository, machine) };
}
