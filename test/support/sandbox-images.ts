import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * One folder for a whole run: the first test that needs a Debian image makes it there, the others use it. A folder
 * that KEYFRAME_TEST_IMAGES names is kept for the next run.
 */
export default function setup(): () => void {
  if (process.env["KEYFRAME_TEST_IMAGES"] !== undefined) return () => undefined;
  const folder = mkdtempSync(join(tmpdir(), "sbx-img-"));
  process.env["KEYFRAME_TEST_IMAGES"] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
