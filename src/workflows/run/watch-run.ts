import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { observe } from "../../authorship/record/observe.ts";
import { sha256Hex } from "../../base/digest.ts";
import { listDirtyPaths } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";

export interface WatchedRun {
  readonly repository: Repository;
  /** Directory in which the program works. */
  readonly cwd: string;
  /** Who is credited: the program that is run, by a name of its own for each run. */
  readonly agent: AgentId;
  /** What is kept as the prompt that the lines answer. */
  readonly command: string;
}

/** The one call that a whole run is; looks in between settle what it did so far. */
const callId = "run";

/**
 * Credits a program that no hook tells of with what it leaves in a work tree: what differs between a look before it starts,
 * looks at quiet moments, and one when it has ended. A run that is killed loses only what came after its last look.
 */
export class RunWatch {
  readonly #run: WatchedRun;
  readonly #machine: Machine;
  #seen: string;
  #before: string;

  /** Looks at the work tree; start the program after this. */
  constructor(run: WatchedRun, machine: Machine) {
    this.#run = run;
    // what the run starts descends from this process, and a commit of its own is known by that
    const self = { ...machine.processTable.self(), program: "keyframe" };
    this.#machine = { ...machine, processTable: { ...machine.processTable, ancestors: () => [self] } };
    const { agent, cwd, command } = run;
    observe({ kind: "session-start", agent, cwd }, this.#machine);
    observe({ kind: "prompt", agent, cwd, prompt: command }, this.#machine);
    this.#observe("before-shell");
    this.#seen = this.#fingerprint();
    this.#before = this.#seen;
  }

  /** Call it now and then: looks once nothing has changed since the call before. Returns whether it looked. */
  lookIfQuiet(): boolean {
    const now = this.#fingerprint();
    const isQuiet = now === this.#before && now !== this.#seen;
    this.#before = now;
    if (!isQuiet) return false;
    this.#observe("after-shell");
    this.#observe("before-shell");
    this.#seen = now;
    return true;
  }

  /** Credits what is left; call it when the program has ended. Returns what could not be done. */
  end(): readonly string[] {
    const { agent, cwd } = this.#run;
    const { problems } = this.#observe("after-shell");
    observe({ kind: "turn-end", agent, cwd }, this.#machine);
    observe({ kind: "session-end", agent, cwd }, this.#machine);
    return problems;
  }

  #observe(kind: "before-shell" | "after-shell") {
    const { agent, cwd, command } = this.#run;
    return observe({ kind, agent, cwd, toolUseId: callId, toolName: "run", command }, this.#machine);
  }

  /** Changes when a file that differs from HEAD does, or becomes one. */
  #fingerprint(): string {
    const { repository } = this.#run;
    const { files } = this.#machine;
    const marks = listDirtyPaths(repository, this.#machine).map((path) => {
      const stat = files.statIfExists(join(repository.workTree ?? "", path));
      return `${path}\0${stat?.mtimeMs}\0${stat?.sizeBytes}\0${stat?.inode}`;
    });
    return sha256Hex(marks.join("\n"));
  }
}
