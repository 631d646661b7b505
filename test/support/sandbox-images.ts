import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import buildOnce from "./build-once.ts";
import { buildDebianImage } from "./sandbox-context.ts";

/**
 * One directory for a whole run, with the Debian image in it before any test starts: two files run at a time. A
 * directory that KEYFRAME_TEST_IMAGES names is kept for the next run.
 */
export default function setup(): () => void {
  buildOnce();
  const kept = process.env["KEYFRAME_TEST_IMAGES"];
  const home = kept ?? mkdtempSync(join(tmpdir(), "sbx-img-"));
  process.env["KEYFRAME_TEST_IMAGES"] = home;
  buildDebianImage(join(home, "debian"));
  return () => {
    if (kept === undefined) rmSync(home, { recursive: true, force: true });
  };
}
