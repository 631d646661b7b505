/** The file behind a document, as it is now. */
export interface DiskFile {
  /** Changes whenever the file does. */
  mark(): string;
  /** Undefined: there is no file, or none that is read. */
  bytes(): Buffer | undefined;
}

/**
 * `look`: the state on disk, or the text that was there if it is named, is what a person's next save is compared with.
 * `save`: what changed on disk since then is the person's.
 */
export type DocumentStep = { readonly kind: "look"; readonly text?: string } | { readonly kind: "save" };

export interface DocumentOptions {
  /**
   * The editor tells of a file that it read again by closing and opening it (Neovim), so that no change comes from the disk,
   * even one that the file holds already: then the editor has saved it. It may tell of a save before it tells of the changes.
   */
  readonly reopens: boolean;
}

const look: DocumentStep = { kind: "look" };
const save: DocumentStep = { kind: "save" };

/**
 * Tells what a person typed from what came from the disk. A document is the same as its file, or somebody changes it while
 * the file stays as it was (that is typing), or both differ and nobody can say whose the difference is: then a save says
 * nothing. Truth before coverage.
 */
export class TypedDocument {
  #text: string;
  #mark: string;
  #state: "same" | "typed" | "unsure";
  /** A save was told whose text is still to come. */
  #isSaved = false;
  readonly #options: DocumentOptions;

  constructor(text: string, disk: DiskFile, options: DocumentOptions) {
    this.#options = options;
    this.#text = text;
    this.#mark = disk.mark();
    this.#state = holds(disk.bytes(), text) ? "same" : "unsure";
  }

  /** The editor's document is now this text. Returns what is to be recorded, in order. */
  change(text: string, disk: DiskFile): readonly DocumentStep[] {
    const before = this.#text;
    this.#text = text;
    if (text === before) return [];
    if (this.#isSaved) return this.#catchUp(before, disk);
    if (this.#state === "same") return this.#begin(before, disk);
    return this.#continue(before, disk);
  }

  /** A program changed the document, not the person in front of it. */
  changeByProgram(): void {
    this.#state = "unsure";
  }

  /** The editor has written the document. */
  save(disk: DiskFile): readonly DocumentStep[] {
    const mark = disk.mark();
    if (!holds(disk.bytes(), this.#text)) {
      // not what was saved: somebody wrote meanwhile, unless it was seen already and the person types on
      if (mark === this.#mark) return [];
      this.#isSaved = this.#options.reopens && this.#state !== "unsure";
      if (!this.#isSaved) this.#state = "unsure";
      this.#mark = mark;
      return [];
    }
    const state = this.#state;
    this.#state = "same";
    this.#mark = mark;
    if (state === "same") return [];
    return [state === "typed" ? save : look];
  }

  /** The changes that belong to a save that was told already. */
  #catchUp(before: string, disk: DiskFile): readonly DocumentStep[] {
    const wasTyped = this.#state === "typed";
    const isSaved = disk.mark() === this.#mark && holds(disk.bytes(), this.#text);
    this.#isSaved = false;
    this.#state = isSaved ? "same" : "unsure";
    if (!isSaved) return [];
    return wasTyped ? [save] : [{ kind: "look", text: before }, save];
  }

  #begin(before: string, disk: DiskFile): readonly DocumentStep[] {
    const bytes = disk.bytes();
    this.#mark = disk.mark();
    if (holds(bytes, this.#text)) {
      if (!this.#options.reopens) return []; // the editor read its file again
      this.#state = "typed";
      return [{ kind: "look", text: before }];
    }
    this.#state = holds(bytes, before) ? "typed" : "unsure";
    return this.#state === "typed" ? [look] : [];
  }

  #continue(before: string, disk: DiskFile): readonly DocumentStep[] {
    const mark = disk.mark();
    if (mark === this.#mark) return [];
    this.#mark = mark;
    const bytes = disk.bytes();
    if (holds(bytes, this.#text)) {
      if (this.#state === "unsure" || !this.#options.reopens) this.#state = "same";
    } else if (this.#state === "typed" && holds(bytes, before)) return [save, look];
    else this.#state = "unsure";
    return [];
  }
}

const byteOrderMark = "\ufeff";

/** True if a file holds a text, whatever its line ends; an absent file holds nothing. */
function holds(bytes: Buffer | undefined, text: string): boolean {
  if (bytes === undefined) return text === "";
  try {
    return normalise(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) === normalise(text);
  } catch {
    return false; // in another encoding: what the editor shows of it cannot be compared
  }
}

function normalise(text: string): string {
  const plain = text.startsWith(byteOrderMark) ? text.slice(1) : text;
  return plain.includes("\r") ? plain.replaceAll("\r\n", "\n") : plain;
}
