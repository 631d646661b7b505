import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { settleRepository } from "../command/settle-first.ts";

/** `keyframe settle` */
export async function settleNow(this: CliContext, flags: { readonly json?: boolean }): Promise<void> {
  const outcome = await settleRepository(this, mustFindRepository(this.cwd, this));
  if (flags.json) return this.terminal.json(outcome);
  for (const commit of outcome.settled) this.terminal.out(`settled ${commit}`);
  if (outcome.settled.length === 0) this.terminal.note("nothing to settle");
  for (const problem of outcome.problems) this.terminal.note(problem);
}
