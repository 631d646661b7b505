import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import type { GuestSession } from "../../sandbox/guest/session.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { SandboxApi } from "./sandbox-api.ts";

export interface HeldGuest {
  readonly guest: GuestChannel;
  readonly release: () => void;
}

/**
 * One conversation for each sandbox, shared by all requests: a guest has few ports, and a conversation carries any
 * number of commands. It is opened for the first that needs it and closed after the last.
 */
export interface GuestSessions {
  hold(record: SandboxRecord): Promise<HeldGuest>;
  use<T>(record: SandboxRecord, work: (guest: GuestChannel) => Promise<T>): Promise<T>;
  /** Conversations that are open. */
  count(): number;
  close(): Promise<void>;
}

interface Shared {
  users: number;
  readonly opening: Promise<GuestSession>;
}

export function createGuestSessions(
  sandboxContext: SandboxContext,
  sandboxApi: Pick<SandboxApi, "openGuestSession" | "mustRun">,
): GuestSessions {
  const open = new Map<string, Shared>();

  async function hold(record: SandboxRecord): Promise<HeldGuest> {
    sandboxApi.mustRun(sandboxContext, record);
    // a machine that was stopped and resumed is another one under the same id
    const key = `${record.id}/${record.generation}/${record.machine?.process.pid}`;
    const shared = open.get(key) ?? begin(key, record);
    shared.users += 1;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      shared.users -= 1;
      if (shared.users === 0) end(key, shared);
    };
    try {
      return { guest: (await shared.opening).guest, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  function begin(key: string, record: SandboxRecord): Shared {
    const opening = sandboxApi.openGuestSession(sandboxContext, record);
    const shared: Shared = { users: 0, opening };
    open.set(key, shared);
    // a conversation that ends by itself gives its port back, and the next request opens another
    opening.then(
      (session) => session.guest.closed.then(() => end(key, shared)),
      () => end(key, shared),
    );
    return shared;
  }

  function end(key: string, shared: Shared): void {
    if (open.get(key) !== shared) return;
    open.delete(key);
    shared.opening.then(
      (session) => session.close(),
      () => undefined, // whoever asked for it has the error
    );
  }

  return {
    hold,
    async use(record, work) {
      const held = await hold(record);
      try {
        return await work(held.guest);
      } finally {
        held.release();
      }
    },
    count: () => open.size,
    async close() {
      const all = [...open.values()];
      open.clear();
      for (const shared of all)
        await shared.opening.then((session) => session.close()).catch(() => undefined); // it never opened
    },
  };
}
