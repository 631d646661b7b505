// Reads standard input with small limits and says what became of it.
import { writeSync } from "node:fs";
import { isKeyframeError } from "../../src/base/errors.ts";
import { readStandardInput } from "../../src/system/machine/standard-input.ts";

try {
  writeSync(1, `read ${readStandardInput({ maxBytes: 1_000_000, timeoutMs: 50 }).length} bytes\n`);
} catch (error) {
  if (!isKeyframeError(error)) throw error;
  writeSync(1, `${error.code}: ${error.message}\n`);
}
