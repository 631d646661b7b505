/**
 * Which surface a path belongs to: it decides how a caller proves itself and what errors look like. `e2b` is E2B's
 * control plane, `inside` what runs in each of its sandboxes.
 */
export type Surface = "public" | "rest" | "e2b" | "inside";

export function surfaceOf(path: string): Surface {
  if (path === "/healthz") return "public";
  if (/^\/(?:process\.Process|filesystem\.Filesystem)\/|^\/(?:files|health)$/.test(path)) return "inside";
  return /^\/(?:v[23]\/)?(?:sandboxes|snapshots|templates|volumes|volumecontent|secrets)(?:\/|$)/.test(path)
    ? "e2b"
    : "rest";
}
