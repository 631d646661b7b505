// A process for the crash tests: does one step in a repository, and is killed at a fault point of it.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { observe } from "../../src/authorship/record/observe.ts";
import { settle } from "../../src/authorship/settle/settle.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { pruneJournal } from "../../src/journal/upkeep/prune.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { agentA, nodeObserveDeps } from "../support/authorship-repo.ts";

const [folder = "", step = "", ...rest] = process.argv.slice(2);
const call = (toolUseId: string) => ({ agent: agentA, cwd: folder, toolUseId, toolName: "Edit" });

if (step === "report") {
  const [path = "", toolUseId = ""] = rest;
  const outcome = observe(
    { kind: "after-edit", ...call(toolUseId), paths: [join(folder, path)] },
    nodeObserveDeps,
  );
  process.stdout.write(JSON.stringify(outcome));
} else if (step === "settle") {
  const git = openGit(mustFindRepository(folder, nodeMachine), nodeProcesses);
  process.stdout.write(JSON.stringify(await settle(git, nodeObserveDeps)));
} else if (step === "prune") {
  pruneJournal(nodeObserveDeps, mustFindRepository(folder, nodeMachine), {
    beforeMs: Date.now(),
    dryRun: false,
  });
} else if (step === "edit-many") {
  // many edits of a file of one's own, in turn with other processes
  const [path = "", count = "0"] = rest;
  for (let index = 0; index < Number(count); index += 1) {
    const event = { ...call(`${path}-${index}`), paths: [join(folder, path)] };
    observe({ kind: "before-edit", ...event }, nodeObserveDeps);
    appendFileSync(join(folder, path), `${path} ${index}\n`);
    const outcome = observe({ kind: "after-edit", ...event }, nodeObserveDeps);
    if (outcome.problems.length > 0) throw new Error(outcome.problems.join("; "));
  }
}
