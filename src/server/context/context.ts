import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import type { Accelerator } from "../../sandbox/hypervisor.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { GuestSessions } from "./guest-sessions.ts";
import type { SandboxApi } from "./sandbox-api.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface OpenedStore {
  readonly repository: ImageRepository;
  /** As `pull --lazy` keeps it. */
  readonly location: string;
  readonly signal: AbortSignal;
}

/** By the names that whoever started the server gave them. */
export interface SnapshotStores {
  readonly names: readonly string[];
  /** @throws KeyframeError `not-found` for a name that was not given */
  use<T>(name: string, work: (store: OpenedStore) => Promise<T>): Promise<T>;
}

/** What every request works with. Nothing in it has to outlive the process: the state is the sandboxes' files. */
export interface ServerContext {
  readonly sandboxContext: SandboxContext;
  readonly sandboxApi: SandboxApi;
  /** What new machines run on; the fastest that works if undefined. */
  readonly accelerator: Accelerator | undefined;
  /** Images are built with the rights of this process. */
  readonly isRoot: boolean;
  /** The stores that snapshots may be sent to and fetched from: a request names one and never says where it is. */
  readonly stores: SnapshotStores;
  /** What sandboxes' own tokens are made of. */
  readonly secret: string;
  readonly sessions: GuestSessions;
  readonly metrics: ServerMetrics;
  readonly background: BackgroundWork;
  /** Fires when the server is told to end: streams that could go on for ever end then. */
  readonly stopping: AbortSignal;
}
