import type { Whiteout } from "./image-tree.ts";

/**
 * What the name of a member deletes (OCI image-spec, layer.md): `a/.wh.b` deletes `a/b`, `a/.wh..wh..opq` all that `a`
 * held in lower layers. "nothing" for other names of that form, which are reserved; undefined for a file.
 */
export function whiteoutOf(name: string): Whiteout | "nothing" | undefined {
  const match = /^((?:.*\/)?)\.wh\.([^/]+)\/?$/s.exec(name);
  if (match === null) return undefined;
  const [, folder = "", what = ""] = match;
  if (what === ".wh..opq") return { kind: "opaque", path: folder };
  return what.startsWith(".wh.") ? "nothing" : { kind: "file", path: `${folder}${what}` };
}
