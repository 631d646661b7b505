import type { CheckpointStores } from "../../../checkpoints/stores/open-stores.ts";
import type { Git } from "../../../git/git.ts";
import type { Repository } from "../../../git/repository.ts";
import type { CliContext } from "../../command/context.ts";

/** One thing that is wrong, and what mends it. */
export interface Finding {
  readonly kind: string;
  /** The file, commit, checkpoint, session or ref it is about. */
  readonly subject: string;
  readonly what: string;
  /** What mends it, or why nothing has to. */
  readonly repair: string;
  /** True if `--repair` does that. */
  readonly repairable: boolean;
  /** True where something that was recorded cannot be read any more. */
  readonly damage: boolean;
}

/** What a check needs that has nothing to do with a repository. */
export interface MachineContext {
  readonly cli: CliContext;
}

export interface DoctorContext extends MachineContext {
  readonly repository: Repository;
  readonly git: Git;
  readonly stores: CheckpointStores;
  /** True if remotes are to be looked at too; `--repair` then asks them. */
  readonly remote: boolean;
}

/**
 * One part of `keyframe doctor`. Looking changes nothing but the index of what was looked at, and asks nothing of the
 * network.
 */
export interface DoctorCheck<Context = DoctorContext> {
  /** Its key in the JSON. */
  readonly name: string;
  /** What its rows begin with. */
  readonly label: string;
  find(context: Context): Promise<readonly Finding[]> | readonly Finding[];
  /** Mends what can be without losing anything. Called only where something was found. */
  repair?(context: Context, findings: readonly Finding[]): Promise<void> | void;
}
