import { errorText } from "../../base/errors.ts";

/** Work that goes on after its request was answered; the server waits for it before it ends. */
export interface BackgroundWork {
  /** A failure is said, not thrown: nobody waits for it. */
  add(what: string, work: Promise<unknown>): void;
  settled(): Promise<void>;
}

export function createBackgroundWork(warn: (text: string) => void): BackgroundWork {
  const going = new Set<Promise<unknown>>();
  return {
    add(what, work) {
      const watched = work
        .catch((error: unknown) => warn(`${what}: ${errorText(error)}`))
        .finally(() => going.delete(watched));
      going.add(watched);
    },
    async settled() {
      while (going.size > 0) await Promise.all(going);
    },
  };
}
