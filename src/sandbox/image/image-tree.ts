import { KeyframeError } from "../../base/errors.ts";
import { type TarEntry, textOfName } from "../tar/tar-entry.ts";

/** A file of the image: its metadata, and where its bytes are. Hard links are several names of one node. */
export interface ImageNode {
  readonly entry: TarEntry;
  /** Layer and place in it of the member that has the content. */
  readonly layer: number;
  readonly member: number;
  /** Of a directory. */
  readonly children: Map<string, ImageNode> | undefined;
}

/** A deletion that a layer asks for (OCI image-spec, layer.md). */
export type Whiteout = { readonly kind: "file" | "opaque"; readonly path: string };

const maxLinksFollowed = 40;
const maxDepth = 256;

/**
 * The files of an image as a tree in memory: layers are put into it, nothing is written. Links of the image are
 * followed inside the tree alone, as the kernel would with the image as its root, so no member can name anything else.
 */
export class ImageTree {
  readonly root: ImageNode = folderNode("", -1);

  /** `refused` by name for a member that does not belong into the image. */
  add(entry: TarEntry, layer: number, member: number): void {
    const parts = this.#partsOf(entry.path, layer);
    const name = parts.pop();
    if (name === undefined) return; // the root itself
    const parent = this.#parent(parts, entry.path, layer);
    const node = entry.kind === "hardlink" ? this.#linked(entry, layer) : undefined;
    const before = parent.get(name);
    const keepsChildren = entry.kind === "folder" && before?.children !== undefined;
    parent.set(
      name,
      node ?? {
        entry,
        layer,
        member,
        children: keepsChildren ? before.children : entry.kind === "folder" ? new Map() : undefined,
      },
    );
  }

  /** What is not there, or would be outside, is deleted already. */
  remove({ kind, path }: Whiteout, layer: number): void {
    const parts = this.#partsOf(path, layer);
    const name = kind === "file" ? parts.pop() : undefined;
    const folder = this.#find(parts);
    if (folder === undefined) return;
    if (kind === "opaque") folder.clear();
    else if (name !== undefined) folder.delete(name);
  }

  /** Every name once, directories before what they hold. */
  *walk(): Generator<{ readonly path: string; readonly node: ImageNode }> {
    const waiting: { readonly path: string; readonly node: ImageNode }[] = [{ path: ".", node: this.root }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      yield next;
      for (const [name, node] of next.node.children ?? [])
        waiting.push({ path: `${next.path}/${name}`, node });
    }
  }

  #partsOf(path: string, layer: number): string[] {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw refused(layer, `${shown(path)}, which climbs out of its directory`);
    if (parts.length > maxDepth || parts.some((part) => part.length > 255))
      throw refused(layer, `${shown(path)}, which is too deep or has too long a name`);
    return parts;
  }

  /** The directory for a member. Directories that no member names are made; links have to lead to a directory that is there. */
  #parent(parts: readonly string[], path: string, layer: number): Map<string, ImageNode> {
    const missing: string[] = [];
    const above = [...parts];
    let folder = this.#find(above);
    while (folder === undefined && above.length > 0) {
      missing.unshift(above.pop() ?? "");
      folder = this.#find(above);
    }
    let children = folder ?? mustHaveChildren(this.root);
    for (const name of missing) {
      if (children.has(name)) {
        const link = children.get(name)?.entry.kind === "symlink" ? "the link" : "the file";
        throw refused(
          layer,
          `${shown(path)} below ${link} ${shown(name)}, which leads to no directory of the image`,
        );
      }
      const made = folderNode(name, layer);
      children.set(name, made);
      children = mustHaveChildren(made);
    }
    return children;
  }

  #linked(entry: TarEntry, layer: number): ImageNode {
    const parts = this.#partsOf(entry.linkTarget, layer);
    const name = parts.pop() ?? "";
    const node = this.#find(parts)?.get(name);
    if (node !== undefined && node.children === undefined) return node;
    throw refused(
      layer,
      `${shown(entry.path)}, a hard link to ${shown(entry.linkTarget)}, which is not a file of the image`,
    );
  }

  /** The directory at a path, links followed inside the tree; undefined if there is none. */
  #find(path: readonly string[]): Map<string, ImageNode> | undefined {
    const left = path.slice().reverse();
    let way: ImageNode[] = [this.root];
    let links = 0;
    for (let part = left.pop(); part !== undefined; part = left.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        // above the root is the root
        if (way.length > 1) way.pop();
        continue;
      }
      const node = way.at(-1)?.children?.get(part);
      if (node === undefined) return undefined;
      if (node.entry.kind === "symlink") {
        links += 1;
        if (links > maxLinksFollowed || left.length > maxDepth) return undefined;
        if (node.entry.linkTarget.startsWith("/")) way = [this.root];
        left.push(...node.entry.linkTarget.split("/").reverse());
      } else if (node.children === undefined) return undefined;
      else way.push(node);
    }
    return way.at(-1)?.children;
  }
}

function folderNode(path: string, layer: number): ImageNode {
  return {
    entry: {
      path,
      kind: "folder",
      mode: 0o755,
      userId: 0,
      groupId: 0,
      sizeBytes: 0,
      modifiedAtS: 0,
      linkTarget: "",
      major: 0,
      minor: 0,
    },
    layer,
    member: -1,
    children: new Map(),
  };
}

function mustHaveChildren(node: ImageNode): Map<string, ImageNode> {
  if (node.children !== undefined) return node.children;
  throw new KeyframeError("damaged", `${shown(node.entry.path)} is not a directory`);
}

function shown(name: string): string {
  return JSON.stringify(textOfName(name));
}

function refused(layer: number, what: string): KeyframeError {
  return new KeyframeError("refused", `layer ${layer + 1} of the image holds ${what}`, {
    hint: "nothing was written; do not use this image",
  });
}
