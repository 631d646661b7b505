import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { randomHex } from "../../system/random.ts";

/**
 * A secret of the home, made at its first use: a file of this user only with 64 hex digits. Whoever starts first makes
 * it; all servers of the home have the same. `refused` if others can read it.
 */
export function keptSecret(
  sandboxContext: SandboxContext,
  name: string,
): { readonly secret: string; readonly path: string } {
  const { files, home, random } = sandboxContext;
  const path = join(home.root, name);
  files.createIfAbsent(path, Buffer.from(`${randomHex(random, 64)}\n`), { mode: 0o600 });
  if (((files.statIfExists(path)?.mode ?? 0) & 0o077) !== 0) {
    throw new KeyframeError("refused", `others can read the secret in ${path}`, {
      hint: "remove the file: a new secret will be generated and existing tokens revoked",
    });
  }
  const secret = files.read(path).toString("latin1").trim();
  // a machine that lost its power may have left less
  if (/^[0-9a-f]{64}$/.test(secret)) return { secret, path };
  throw new KeyframeError("damaged", `${path} is not a secret as this program makes them`, {
    hint: "remove the file: a new secret is made",
  });
}
