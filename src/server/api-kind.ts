/**
 * Which interface a path belongs to: it decides how a caller proves itself and what errors look like. `e2b` is E2B's
 * control plane, `envd` what runs in each of its sandboxes.
 */
export type ApiKind = "public" | "rest" | "e2b" | "envd";

export function apiKindOf(path: string): ApiKind {
  if (path === "/healthz") return "public";
  if (/^\/(?:process\.Process|filesystem\.Filesystem)\/|^\/(?:files|health)$/.test(path)) return "envd";
  return /^\/(?:v[23]\/)?(?:sandboxes|snapshots|templates|volumes|volumecontent|secrets)(?:\/|$)/.test(path)
    ? "e2b"
    : "rest";
}
