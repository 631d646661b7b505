import { dirname, join } from "node:path";
import { encodePath } from "../../base/path-text.ts";
import type { RepoPath } from "../../git/ids.ts";
import { runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import type { ObserveDeps } from "./edit-cause.ts";
import { type PathSnapshot, snapshotContent, snapshotPath } from "./path-snapshot.ts";

const attribute = "working-tree-encoding";

/**
 * Takes the states of files of a work tree as git takes them into a commit: one that attributes keep in another encoding
 * there (UTF-16) counts as its UTF-8 text, or no line of it would be one of the committed file's.
 */
export class TreeReader {
  readonly #repository: Repository;
  readonly #deps: Pick<ObserveDeps, "files" | "processes">;
  /** By folder: whether its attributes, or those above it, say anything of encodings. */
  readonly #mentions = new Map<string, boolean>();
  readonly #encodings = new Map<RepoPath, string | undefined>();

  constructor(repository: Repository, deps: Pick<ObserveDeps, "files" | "processes">) {
    this.#repository = repository;
    this.#deps = deps;
  }

  capture(path: RepoPath, absolute = join(this.#repository.workTree ?? "", path)): PathSnapshot {
    const capture = snapshotPath(this.#deps.files, absolute);
    if (capture.kind !== "file" || capture.content === undefined) return capture;
    const text = this.asCommitted(path, capture.content);
    if (text === capture.content) return capture;
    const mark = capture.mark === undefined ? {} : { mark: capture.mark };
    return { ...snapshotContent(text, capture.mode), ...mark };
  }

  /** Bytes of a file of the work tree as text that a commit would hold; the same buffer where that is no difference. */
  asCommitted(path: RepoPath, bytes: Buffer): Buffer {
    const encoding = this.#mayBeEncoded(dirname(path)) ? this.#encodingOf(path) : undefined;
    const text = encoding === undefined ? undefined : decode(bytes, encoding);
    return text === undefined ? bytes : Buffer.from(text);
  }

  /** Most repositories have no such attribute: their files are looked into before git is asked. */
  #mayBeEncoded(folder: string): boolean {
    const known = this.#mentions.get(folder);
    if (known !== undefined) return known;
    const { workTree = "", commonDir } = this.#repository;
    const isTop = folder === "." || folder === "";
    const may =
      this.#mentionsEncoding(join(workTree, folder, ".gitattributes")) ||
      (isTop
        ? this.#mentionsEncoding(join(commonDir, "info", "attributes"))
        : this.#mayBeEncoded(dirname(folder)));
    this.#mentions.set(folder, may);
    return may;
  }

  #mentionsEncoding(attributes: string): boolean {
    const { files } = this.#deps;
    // a directory in its place, or a link: git ignores it as well
    if (files.statIfExists(attributes)?.kind !== "file") return false;
    return files.readIfExists(attributes)?.includes(attribute) ?? false;
  }

  #encodingOf(path: RepoPath): string | undefined {
    if (!this.#encodings.has(path)) {
      const { stdout } = runGitSync(
        this.#repository,
        this.#deps.processes,
        ["check-attr", "-z", "--stdin", attribute],
        encodePath(`${path}\0`),
      );
      const [, , value] = stdout.toString("latin1").split("\0");
      const isSet = value !== undefined && !["", "unspecified", "set", "unset"].includes(value);
      this.#encodings.set(path, isSet ? value : undefined);
    }
    return this.#encodings.get(path);
  }
}

/** Undefined where the encoding is not known here, or the bytes are not of it: git refuses those too. */
function decode(bytes: Buffer, encoding: string): string | undefined {
  try {
    return new TextDecoder(labelOf(bytes, encoding), { fatal: true }).decode(bytes);
  } catch {
    return undefined; // the state stays as its bytes are
  }
}

/** Git names encodings as iconv does. */
function labelOf(bytes: Buffer, encoding: string): string {
  const name = encoding.toLowerCase().replace(/-bom$/, "");
  if (name === "utf-16" || name === "utf16")
    return bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-16be";
  return name.replace(/^cp(?=125\d$)/, "windows-").replace(/^shift-jis$|^sjis$/, "shift_jis");
}
