import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "../../base/assert.ts";
import type { Files } from "../../system/files/files.ts";

/** The text of the program that runs inside the guest: `guest/agent.pl` of this package. */
export function readGuestProgram(files: Files): Buffer {
  // the package's root is some directories above, whether this runs from source or from the bundle
  for (
    let folder = dirname(fileURLToPath(import.meta.url));
    folder !== dirname(folder);
    folder = dirname(folder)
  ) {
    const program = files.readIfExists(join(folder, "guest", "agent.pl"));
    if (program !== undefined) return program;
  }
  assert(false, "the package lacks guest/agent.pl");
}
