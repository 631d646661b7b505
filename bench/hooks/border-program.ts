import { dirname, join } from "node:path";
import { lookForRepository } from "../../src/git/repository.ts";
import { whyDistrusted } from "../../src/git/repository-trust.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";

// Prints how many milliseconds the first decision of a process takes, how many a search with it, and what that came to. As in a
// hook the search comes before the decision: here one that finds no repository, so that it decides nothing.

function timed<T>(work: () => T): [number, T] {
  const begun = process.hrtime.bigint();
  const result = work();
  return [Number(process.hrtime.bigint() - begun) / 1e6, result];
}

const workTree = process.cwd();
lookForRepository(dirname(workTree), nodeMachine);
const [decisionMs] = timed(() =>
  whyDistrusted({ workTree, gitDir: join(workTree, ".git"), gitFile: undefined }, nodeMachine),
);
const [searchMs, { kind }] = timed(() => lookForRepository(workTree, nodeMachine));
console.log(`${decisionMs} ${searchMs} ${kind}`);
