import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";

/** What names a call of an agent's tool. */
export interface CallKey {
  readonly agent: AgentId;
  readonly toolUseId: string;
}

/** A call whose end nobody reports (its agent was killed) is forgotten after this. */
const maxCallAgeMs = 24 * 60 * 60 * 1000;

/** Calls that have begun and not ended: a file `<call>.json` each in a directory of the journal, and others beside it. */
export class CallRecords<T extends CallKey & { readonly at: number }> {
  readonly #files: Files;
  readonly #folder: string;
  readonly #parse: (bytes: Buffer | undefined) => T | undefined;

  constructor(files: Files, folder: string, parse: (bytes: Buffer | undefined) => T | undefined) {
    this.#files = files;
    this.#folder = folder;
    this.#parse = parse;
  }

  /** `extension`: of a file beside the record. */
  pathOf({ agent, toolUseId }: CallKey, extension = "json"): string {
    const id = sha256Hex(`${agent.tool}\0${agent.id}\0${toolUseId}`).slice(0, 32);
    return join(this.#folder, `${id}.${extension}`);
  }

  write(call: CallKey, content: object, extension?: string): void {
    this.#files.makeFolder(this.#folder);
    const bytes = Buffer.from(JSON.stringify(content));
    this.#files.replaceWithoutSync(this.pathOf(call, extension), bytes, { mode: 0o600 });
  }

  read(call: CallKey): T | undefined {
    return this.#parse(this.#files.readIfExists(this.pathOf(call)));
  }

  remove(call: CallKey, extension?: string): void {
    this.#files.remove(this.pathOf(call, extension));
  }

  /** All that are under way; removes the files of those that are damaged, very old or `isOver`. */
  pruneAndList(
    { clock }: { readonly clock: Clock },
    isOver: (call: T) => boolean,
    beside: string[] = [],
  ): T[] {
    const calls: T[] = [];
    for (const { name } of this.#files.listIfExists(this.#folder) ?? []) {
      if (!name.endsWith(".json")) continue;
      const path = join(this.#folder, name);
      const call = this.#parse(this.#files.readIfExists(path));
      if (call !== undefined && clock.nowMs() - call.at <= maxCallAgeMs && !isOver(call)) calls.push(call);
      else for (const extension of ["json", ...beside]) this.#files.remove(path.replace(/json$/, extension));
    }
    return calls;
  }
}
