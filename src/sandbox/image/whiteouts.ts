/** How a layer says that a file of a lower one is gone (OCI image-spec, layer.md). Paths are relative. */
export type Whiteout = { readonly kind: "file" | "opaque"; readonly path: string };

/** From the names in a layer's tar: `a/.wh.b` deletes `a/b`, `a/.wh..wh..opq` all that `a` held before. */
export function whiteoutsOf(names: readonly string[]): Whiteout[] {
  return names.flatMap((name): Whiteout[] => {
    const match = /^(?:\.\/)?((?:.*\/)?)\.wh\.([^/]+)$/.exec(name);
    if (match === null) return [];
    const [, folder = "", what = ""] = match;
    if (what === ".wh..opq") return [{ kind: "opaque", path: folder === "" ? "." : folder.slice(0, -1) }];
    return what.startsWith(".wh.") ? [] : [{ kind: "file", path: `${folder}${what}` }];
  });
}

/** In the form that the build's shell function takes. Paths that leave the image are dropped: nothing there is its own. */
export function removeWhiteouts(whiteouts: readonly Whiteout[]): [Whiteout["kind"], string][] {
  return whiteouts
    .filter(({ path }) => !path.startsWith("/") && !path.split("/").includes(".."))
    .map(({ kind, path }) => [kind, path]);
}
