import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";

/** Where an image's files come from. */
export type RootfsSource =
  | { readonly kind: "debian"; readonly suite: string }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "tar"; readonly path: string }
  | { readonly kind: "oci"; readonly path: string };

/** `debian:<suite>`, or a path: an OCI layout is a directory with an `oci-layout` file, a tar is a file. */
export function parseRootfsSource(
  files: Files,
  text: string,
  resolve: (path: string) => string,
): RootfsSource {
  const suite = /^debian:([a-z][a-z0-9-]*)$/.exec(text)?.[1];
  if (suite !== undefined) return { kind: "debian", suite };
  const path = resolve(text);
  const stat = files.statTargetIfExists(path);
  if (stat === undefined) {
    throw new KeyframeError("not-found", `there is no ${text} to make an image from`, {
      hint: "use debian:<suite>, a directory, a tar file or an OCI image layout",
    });
  }
  if (stat.kind === "file") return { kind: "tar", path };
  if (stat.kind !== "folder")
    throw new KeyframeError("invalid-input", `${text} is neither a directory nor a file`);
  const isOci = files.statIfExists(`${path}/oci-layout`) !== undefined;
  return { kind: isOci ? "oci" : "folder", path };
}
