import { createHash } from "node:crypto";
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

/**
 * Nothing from elsewhere, no frame around it, and of what stands in the page itself only its own style and script: each is named by
 * its digest, so that nothing else that got there would count.
 */
export function contentPolicyOf(assets: PageAssets): string {
  const index = assets.get("index.html")?.toString("utf8") ?? "";
  const digestsOf = (element: "style" | "script") =>
    [...index.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, "g"))]
      .map(([, content = ""]) => ` 'sha256-${createHash("sha256").update(content).digest("base64")}'`)
      .join("");
  return [
    "default-src 'none'",
    `script-src 'self'${digestsOf("script")}`,
    `style-src 'self'${digestsOf("style")}`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
