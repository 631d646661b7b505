import { resolve } from "node:path";
import { locatePath } from "../../authorship/edits/locate-path.ts";
import { stateHuman } from "../../authorship/record/state-human.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { RepoPath } from "../../git/ids.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";

/** `keyframe human` */
export function human(this: CliContext, flags: { readonly json?: boolean }, ...names: string[]): void {
  const repository = mustFindRepository(this.cwd, this);
  const named = names.map((name): RepoPath => {
    const located = locatePath(resolve(this.cwd, name), this.cwd, this);
    if (located.kind === "inside" && located.repository.gitDir === repository.gitDir) return located.path;
    throw new KeyframeError("refused", `${name} is not a file of this repository`);
  });
  const taken = stateHuman(repository, this, names.length === 0 ? undefined : named);
  if (flags.json) {
    this.terminal.json({ taken });
    return;
  }
  if (taken.length === 0) this.terminal.out("Nothing to state: every changed line has an owner.");
  for (const path of taken) this.terminal.out(`yours, as stated: ${printable(path)}`);
}
