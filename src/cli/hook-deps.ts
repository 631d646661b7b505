import type { CommitDeps } from "../checkpoints/prepare-commit.ts";
import { nodeMachine } from "../system/machine.ts";
import { createRedactor } from "../transcripts/redaction.ts";

/** What a hook may touch, once it does more than record. */
export function hookDeps(): CommitDeps {
  return { ...nodeMachine, redactor: createRedactor() };
}
