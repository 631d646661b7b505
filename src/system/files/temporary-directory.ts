import { tmpdir } from "node:os";

/** The machine's directory for files that need not survive. */
export function temporaryFolder(): string {
  return tmpdir();
}
