import { dirname } from "node:path";
import type { AgentEvent } from "../agents/agent-event.ts";
import { observe } from "../authorship/record/observe.ts";
import { findRepository } from "../git/repository.ts";
import { isSwitchedOff, isSwitchedOn } from "../state/switch.ts";
import type { Files } from "../system/files/files.ts";
import type { Machine } from "../system/machine/machine.ts";
import { type DiskFile, type DocumentOptions, type DocumentStep, TypedDocument } from "./typed-document.ts";

/** Larger documents are shown and not recorded: their lines have no owner anyway. */
const maxDocumentLength = 32 * 1024 * 1024;

export type EditorName = NonNullable<Extract<AgentEvent, { readonly kind: "known-human-edit" }>["editor"]>;

export interface SaveRecorderOptions {
  readonly machine: Machine;
  readonly editor: EditorName | undefined;
  /** Also in repositories where `keyframe enable` was never said. */
  readonly everywhere: boolean;
}

/** Reports what a person typed into open documents and saved. Documents are named by the paths of their files. */
export class SaveRecorder {
  readonly #options: SaveRecorderOptions;
  readonly #documents = new Map<string, TypedDocument>();

  readonly #typing: DocumentOptions;

  constructor(options: SaveRecorderOptions) {
    this.#options = options;
    this.#typing = { reopens: options.editor?.name === "Neovim" };
  }

  open(path: string, text: string): void {
    if (text.length > maxDocumentLength || !this.#mayRecord(path)) return;
    this.#documents.set(path, new TypedDocument(text, this.#disk(path), this.#typing));
  }

  change(path: string, text: string): void {
    const document = this.#documents.get(path);
    if (document !== undefined) this.#record(path, document.change(text, this.#disk(path)));
  }

  changeByProgram(path: string): void {
    this.#documents.get(path)?.changeByProgram();
  }

  save(path: string): void {
    const document = this.#documents.get(path);
    if (document !== undefined) this.#record(path, document.save(this.#disk(path)));
  }

  close(path: string): void {
    this.#documents.delete(path);
  }

  #record(path: string, steps: readonly DocumentStep[]): void {
    const { machine, editor } = this.#options;
    const place = { paths: [path], cwd: dirname(path) };
    for (const step of steps) {
      // what cannot be recorded is left for `status` and `doctor`: an editor is never told
      if (step.kind === "look") {
        const buffers = step.text === undefined ? {} : { buffers: new Map([[path, step.text]]) };
        observe({ kind: "before-human-edit", ...place, ...buffers }, machine);
      } else observe({ kind: "known-human-edit", ...place, ...(editor ? { editor } : {}) }, machine);
    }
  }

  #disk(path: string): DiskFile {
    return diskFile(this.#options.machine.files, path);
  }

  #mayRecord(path: string): boolean {
    const { machine, everywhere } = this.#options;
    const repository = findRepository(dirname(path), machine);
    if (repository?.workTree === undefined || isSwitchedOff(repository, machine.files)) return false;
    return everywhere || isSwitchedOn(repository, machine.files);
  }
}

function diskFile(files: Files, path: string): DiskFile {
  return {
    mark() {
      const stat = files.statTargetIfExists(path);
      return stat === undefined ? "" : `${stat.mtimeMs} ${stat.ctimeMs} ${stat.sizeBytes} ${stat.inode}`;
    },
    bytes() {
      const stat = files.statTargetIfExists(path);
      const isReadable = stat?.kind === "file" && stat.sizeBytes <= maxDocumentLength;
      return isReadable ? files.readIfExists(path) : undefined;
    },
  };
}
