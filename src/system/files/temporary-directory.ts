import { tmpdir } from "node:os";

/** The machine's folder for files that need not survive. */
export function temporaryFolder(): string {
  return tmpdir();
}
