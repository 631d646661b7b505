import type { SandboxWorld } from "../sandbox/home.ts";
import type { Accelerator } from "../sandbox/hypervisor.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { GuestSessions } from "./guest-sessions.ts";
import type { SandboxLibrary } from "./library.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** What every request works with. Nothing in it has to outlive the process: the state is the sandboxes' files. */
export interface ServerContext {
  readonly world: SandboxWorld;
  readonly library: SandboxLibrary;
  /** What new machines run on; the fastest that works if undefined. */
  readonly accelerator: Accelerator | undefined;
  /** Images are built with the rights of this process. */
  readonly isRoot: boolean;
  /** What sandboxes' own tokens are made of. */
  readonly secret: string;
  readonly sessions: GuestSessions;
  readonly metrics: ServerMetrics;
  readonly background: BackgroundWork;
  /** Fires when the server is told to end: streams that could go on for ever end then. */
  readonly stopping: AbortSignal;
}
