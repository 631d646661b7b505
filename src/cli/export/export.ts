import { cleanJson } from "../../base/text/clean-text.ts";
import { exportTraces } from "../../workflows/interop/export-traces.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import type { OwnerExportFlags } from "./export-command.ts";

/** `keyframe export` */
export async function exportOwners(
  this: CliContext,
  _flags: OwnerExportFlags,
  revision = "HEAD",
): Promise<void> {
  await settleFirst(this);
  for await (const record of exportTraces(openRepositoryGit(this), this.files, revision))
    this.process.stdout.write(`${cleanJson(JSON.stringify(record))}\n`);
}
