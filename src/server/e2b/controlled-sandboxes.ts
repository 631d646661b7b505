import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import type { WritingSnapshot } from "../../sandbox/lifecycle/branch.ts";
import type { StartedSandbox } from "../../sandbox/lifecycle/start-sandbox.ts";
import type { SandboxRecord, SnapshotRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import { sandboxToken } from "../requests/access.ts";
import type { RequestContext } from "../requests/request-env.ts";
import { listQuery } from "./control-requests.ts";
import { envdVersion } from "./envd.ts";
import { type LeaseKeeper, readLease, type SandboxLease, writeLease } from "./lease.ts";
import { encodeE2bId, parseE2bId } from "./sandbox-ids.ts";

/** Sandboxes as E2B's control plane shows them: with a lease, its own ids, and its names for their fields. */
export class ControlledSandboxes {
  readonly #server: ServerContext;
  readonly #leases: LeaseKeeper;

  constructor(server: ServerContext, leases: LeaseKeeper) {
    this.#server = server;
    this.#leases = leases;
  }

  /** `not-found` also for one whose machine has ended by itself: to this interface it is gone. */
  find(c: RequestContext): SandboxRecord {
    const text = c.req.param("id") ?? "";
    const id = parseE2bId(text);
    if (id !== undefined) {
      const record = this.#server.sandboxApi.findSandbox(this.#server.sandboxContext, id);
      if (this.stateOf(record) !== undefined) return record;
    }
    throw new KeyframeError("not-found", `there is no sandbox ${JSON.stringify(text.slice(0, 100))}`);
  }

  stateOf(record: SandboxRecord): "running" | "paused" | undefined {
    const state = this.#server.sandboxApi.sandboxState(this.#server.sandboxContext, record);
    if (state === "running") return "running";
    return state === "stopped" ? "paused" : undefined;
  }

  /** One that was started otherwise has none and no end; setting one gives it both. */
  leaseOf(record: SandboxRecord): SandboxLease {
    const endsAtMs = record.expiresAtMs ?? farFutureMs;
    return (
      this.knownLease(record) ?? {
        format: 1,
        templateId: templateOf(record),
        metadata: {},
        endsAtMs,
        onTimeout: "kill",
      }
    );
  }

  /** A damaged one counts as none, so that it hides no other sandbox; who keeps the leases says so. */
  knownLease(record: SandboxRecord): SandboxLease | undefined {
    try {
      return readLease(this.#server, record.id);
    } catch (error) {
      if (isKeyframeError(error, "damaged")) return undefined;
      throw error;
    }
  }

  saveLease(record: SandboxRecord, lease: SandboxLease): void {
    writeLease(this.#server, record.id, lease);
    this.#leases.wake();
  }

  /** A sandbox without an end would stay for ever: one that cannot get its lease goes at once. */
  async beginLease(record: SandboxRecord, lease: SandboxLease): Promise<void> {
    try {
      this.saveLease(record, lease);
    } catch (error) {
      await this.#server.sandboxApi.removeSandbox(this.#server.sandboxContext, record);
      throw error;
    }
  }

  describeFailure(error: unknown) {
    const { status, message } = noteFailure(this.#server, "fork", error);
    return { error: { code: status, message } };
  }

  async branch(record: SandboxRecord, name: string | undefined): Promise<SnapshotRecord> {
    const options = name === undefined ? {} : { name: parseObjectName(name) };
    const writing = await this.#server.sandboxApi.branchSandbox(
      this.#server.sandboxContext,
      record.id,
      options,
    );
    this.observePause(writing);
    return writing.durable;
  }

  observePause({ pause }: WritingSnapshot): void {
    this.#server.metrics.pauseSeconds.observe(pause.totalMs / 1000);
  }

  describe(record: SandboxRecord) {
    return {
      templateID: this.leaseOf(record).templateId,
      sandboxID: encodeE2bId(record.id),
      ...(record.name === undefined ? {} : { alias: record.name }),
      clientID: "keyframe",
      envdVersion,
      envdAccessToken: sandboxToken(this.#server.secret, record.id),
    };
  }

  describeInFull(record: SandboxRecord) {
    const { envdAccessToken: _token, ...facts } = this.describe(record);
    const lease = this.leaseOf(record);
    return {
      ...facts,
      startedAt: new Date(record.createdAtMs).toISOString(),
      endAt: new Date(lease.endsAtMs).toISOString(),
      state: this.stateOf(record),
      cpuCount: record.shape.cpus,
      memoryMB: record.shape.memoryMiB,
      diskSizeMB: Math.floor(record.shape.diskBytes / 1024 ** 2),
      metadata: lease.metadata,
      allowInternetAccess: record.network !== undefined,
      lifecycle: { autoResume: false, onTimeout: lease.onTimeout },
    };
  }

  listed(c: RequestContext, defaultStates: readonly string[]) {
    const query = listQuery.parse(c.req.query());
    const states = c.req.queries("state")?.flatMap((text) => text.split(",")) ?? defaultStates;
    const wanted = [...new URLSearchParams(query.metadata ?? "")].map(
      ([name, value]) => [decoded(name), decoded(value)] as const,
    );
    const all = this.#server.sandboxApi
      .listSandboxes(this.#server.sandboxContext)
      .filter((record) => states.includes(this.stateOf(record) ?? ""))
      .filter((record) => {
        const { metadata, templateId } = this.leaseOf(record);
        return (
          wanted.every(([name, value]) => metadata[name] === value) &&
          (query.template === undefined || templateId === query.template) &&
          (query.startedAfter === undefined || record.createdAtMs > Date.parse(query.startedAfter))
        );
      });
    if (query.order === "desc") all.reverse();
    const { items, nextToken } = page(all, query);
    return { items: items.map((record) => this.describeInFull(record)), nextToken };
  }
}

const farFutureMs = Date.UTC(9999, 11, 31);

/** Items behind the one that the token names; a token whose item is gone begins again. */
export function page<T extends { readonly id: string }>(
  all: readonly T[],
  query: { readonly limit: number; readonly nextToken?: string | undefined },
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const from = all.findIndex((each) => each.id === query.nextToken) + 1;
  const items = all.slice(from, from + query.limit);
  return { items, nextToken: from + query.limit < all.length ? items.at(-1)?.id : undefined };
}

function templateOf(record: SandboxRecord): string {
  return record.base ?? record.image ?? record.id;
}

export function describeE2bSnapshot(record: SnapshotRecord) {
  return { snapshotID: record.id, names: record.name === undefined ? [] : [record.name] };
}

/** The package encodes names and values once more than the query needs. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // encoded once only
  }
}

export function noted(server: ServerContext, started: StartedSandbox): StartedSandbox {
  server.metrics.readySeconds.observe(started.readyMs / 1000);
  for (const problem of started.problems) server.sandboxContext.warn(`${started.record.id}: ${problem}`);
  return started;
}
