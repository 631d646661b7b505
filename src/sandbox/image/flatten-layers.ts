import { KeyframeError } from "../../base/errors.ts";
import { tarPadding } from "../../base/ustar.ts";
import { maxImageContentBytes, maxImageEntries } from "../limits.ts";
import { readTar } from "../tar/read-tar.ts";
import { encodeTarEntry, type TarEntry, tarEnd, textOfName } from "../tar/tar-entry.ts";
import { type ImageNode, ImageTree } from "./image-tree.ts";
import { whiteoutOf } from "./whiteouts.ts";

/** One layer of an image, lowest first. */
export interface ImageLayer {
  /** The bytes of its tar, unpacked. Read twice: both times the same. */
  open(): AsyncIterable<Buffer>;
  /** Whether names that begin with `.wh.` delete what lower layers hold. */
  readonly deletes: boolean;
}

export interface FlattenedImage {
  /** Of all its files. */
  readonly contentBytes: number;
  readonly entryCount: number;
  /**
   * One tar of the whole image: every name once, all directories first, links last. A program that unpacks it into an
   * empty directory finds no link on its way.
   */
  tar(): AsyncGenerator<Buffer>;
}

const limits = { maxEntries: maxImageEntries, maxContentBytes: maxImageContentBytes };

/** Puts the layers on top of each other. `refused` by name if a layer would write, link or delete outside of the image. */
export async function flattenLayers(layers: readonly ImageLayer[]): Promise<FlattenedImage> {
  const tree = new ImageTree();
  for (const [index, layer] of layers.entries()) await addLayer(tree, index, layer);
  const live = liveNames(tree);
  let contentBytes = 0;
  for (const node of live.keys()) contentBytes += node.entry.sizeBytes;
  return {
    contentBytes,
    entryCount: live.size,
    async *tar() {
      yield* named(live, (node) => node.children !== undefined, "folders");
      for (const [index, layer] of layers.entries()) yield* filesOf(index, layer, live);
      yield* named(live, (node) => node.children === undefined && node.entry.kind !== "file", "links");
      yield tarEnd;
    },
  };
}

async function addLayer(tree: ImageTree, layer: number, from: ImageLayer): Promise<void> {
  const entries: (TarEntry | undefined)[] = [];
  for await (const { entry } of readTar(from.open(), limits)) {
    const whiteout = from.deletes ? whiteoutOf(entry.path) : undefined;
    // a layer deletes what is below it, never its own files, wherever in the layer it says so
    if (whiteout === undefined) entries.push(entry);
    else {
      entries.push(undefined);
      if (whiteout !== "nothing") tree.remove(whiteout, layer);
    }
  }
  for (const [member, entry] of entries.entries()) if (entry !== undefined) tree.add(entry, layer, member);
}

type LiveNames = ReadonlyMap<ImageNode, readonly string[]>;

function liveNames(tree: ImageTree): LiveNames {
  const names = new Map<ImageNode, string[]>();
  for (const { path, node } of tree.walk()) {
    const known = names.get(node);
    if (known === undefined) names.set(node, [path]);
    else known.push(path);
  }
  return names;
}

function* named(
  live: LiveNames,
  wanted: (node: ImageNode) => boolean,
  what: "folders" | "links",
): Generator<Buffer> {
  for (const [node, paths] of live) {
    if (!wanted(node)) continue;
    for (const path of paths)
      yield encodeTarEntry({ ...node.entry, path: what === "folders" ? `${path}/` : path });
  }
}

async function* filesOf(layer: number, from: ImageLayer, live: LiveNames): AsyncGenerator<Buffer> {
  const wanted = new Map<number, ImageNode>();
  for (const node of live.keys())
    if (node.layer === layer && node.entry.kind === "file") wanted.set(node.member, node);
  if (wanted.size === 0) return;
  let member = -1;
  for await (const found of readTar(from.open(), limits)) {
    const { entry } = found;
    member += 1;
    const node = wanted.get(member);
    if (node === undefined) continue;
    wanted.delete(member);
    if (entry.path !== node.entry.path || entry.sizeBytes !== node.entry.sizeBytes) throw changed(entry.path);
    yield* fileWithLinks(node, live.get(node) ?? [], found.content());
    if (wanted.size === 0) return;
  }
  for (const node of wanted.values()) throw changed(node.entry.path);
}

async function* fileWithLinks(
  node: ImageNode,
  paths: readonly string[],
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const [path = "", ...links] = paths;
  yield encodeTarEntry({ ...node.entry, path });
  yield* content;
  yield Buffer.alloc(tarPadding(node.entry.sizeBytes));
  for (const link of links)
    yield encodeTarEntry({ ...node.entry, kind: "hardlink", sizeBytes: 0, path: link, linkTarget: path });
}

function changed(path: string): KeyframeError {
  return new KeyframeError(
    "invalid-input",
    `${JSON.stringify(textOfName(path))} changed while the image was made`,
    { hint: "run the command again when nothing writes there" },
  );
}
