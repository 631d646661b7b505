import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";

/** The page's own files by name. */
export type PageAssets = ReadonlyMap<string, Buffer>;

/** Reads what the build made of web/. @throws KeyframeError `not-found` where the package is not whole */
export function readPageAssets(files: Files, directory: string): PageAssets {
  const entries = files.listIfExists(directory) ?? [];
  const assets = new Map(
    entries
      .filter(({ kind }) => kind === "file")
      .map(({ name }) => [name, files.read(join(directory, name))] as const),
  );
  if (!assets.has("index.html")) {
    throw new KeyframeError("not-found", `the page is missing from ${directory}`, {
      hint: "build it: npm run build",
    });
  }
  return assets;
}

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

export function contentTypeOf(name: string): string {
  return contentTypes[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}
