import type { CommitDeps } from "../checkpoints/prepare-commit.ts";
import { type Machine, nodeMachine } from "../system/machine.ts";
import { createRedactor } from "../transcripts/redaction.ts";

/** What a hook may touch, once it does more than record. */
export function hookDeps(machine: Machine = nodeMachine): CommitDeps {
  return { ...machine, redactor: createRedactor() };
}
