import { dirname, relative, sep } from "node:path";
import { findRepository, type Repository } from "../git/repository.ts";
import { readBaseCommit } from "../journal/base-commit.ts";
import type { Machine } from "../system/machine/machine.ts";
import type { AskContext } from "../workflows/ask/ask-context.ts";
import { type OwnedLine, readFileOwners } from "../workflows/ask/file-owners.ts";
import { linkedCheckpoints } from "../workflows/ask/linked-checkpoints.ts";
import { type DocumentOwners, ownersInDocument } from "./document-owners.ts";

export interface OwnerSourceOptions {
  readonly machine: Machine;
  readonly openContext: (repository: Repository) => AskContext;
  /** Does what hooks left to do; called when HEAD has moved. */
  readonly settle: (context: AskContext) => Promise<void>;
}

/** What was read is shown for so long at most: a hook may have recorded more meanwhile. */
const freshMs = 1000;
const maxFileBytes = 8 * 1024 * 1024;

interface ReadFile {
  readonly key: string;
  readonly atMs: number;
  readonly owned: Promise<readonly OwnedLine[]>;
}

interface Place {
  readonly context: AskContext;
  settledHead: string | undefined;
}

/** Owners of the lines of open files, by path. Reading a file again asks git only once it may have changed. */
export class OwnerSource {
  readonly #options: OwnerSourceOptions;
  readonly #places = new Map<string, Place>();
  readonly #read = new Map<string, ReadFile>();

  constructor(options: OwnerSourceOptions) {
    this.#options = options;
  }

  /** Empty where nothing is known: outside of a repository, of a file that git cannot read. */
  async ownersOf(path: string, text: string): Promise<DocumentOwners> {
    const { files } = this.#options.machine;
    const found = this.#placeOf(path);
    const stat = files.statIfExists(path);
    if (found === undefined || stat?.kind !== "file" || stat.sizeBytes > maxFileBytes) return [];
    const mark = `${stat.mtimeMs} ${stat.sizeBytes} ${stat.inode}`;
    const disk = files.read(path);
    try {
      return ownersInDocument(await this.#readOnce(path, found, mark), disk, text);
    } catch {
      return []; // a file that git does not know, or that changed while it was read
    }
  }

  /** The conversation behind a line, if one is linked to its commit and is on this machine. */
  async conversationOf(path: string, line: OwnedLine): Promise<string | undefined> {
    const found = this.#placeOf(path);
    if (found === undefined || line.commit === undefined) return undefined;
    const [first] = await linkedCheckpoints(found.place.context, line.commit);
    return first;
  }

  contextOf(path: string): AskContext | undefined {
    return this.#placeOf(path)?.place.context;
  }

  forget(path: string): void {
    this.#read.delete(path);
  }

  #placeOf(path: string): { readonly repository: Repository; readonly place: Place } | undefined {
    const repository = findRepository(dirname(path), this.#options.machine);
    if (repository?.workTree === undefined) return undefined;
    const known = this.#places.get(repository.gitDir);
    const place = known ?? { context: this.#options.openContext(repository), settledHead: undefined };
    this.#places.set(repository.gitDir, place);
    return { repository, place };
  }

  async #readOnce(
    path: string,
    { repository, place }: { readonly repository: Repository; readonly place: Place },
    mark: string,
  ): Promise<readonly OwnedLine[]> {
    const { machine, settle } = this.#options;
    const head = readBaseCommit(repository, machine.files, machine.processes);
    if (place.settledHead !== head) {
      place.settledHead = head;
      await settle(place.context).catch(() => undefined); // what is settled is shown
    }
    const key = `${mark} ${head}`;
    const known = this.#read.get(path);
    const now = machine.clock.monotonicMs();
    if (known?.key === key && now - known.atMs < freshMs) return known.owned;
    const inTree = relative(repository.workTree ?? "", path)
      .split(sep)
      .join("/");
    const owned = readFileOwners(place.context, { path: inTree });
    this.#read.set(path, { key, atMs: now, owned });
    return owned;
  }
}
