import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { copyIn, copyOut } from "../../sandbox/guest/copy-files.ts";
import { withGuest } from "../../sandbox/guest/session.ts";
import { withDiskOf } from "../../sandbox/lifecycle/resume-sandbox.ts";
import { findSandbox, mustRun, sandboxState } from "../../sandbox/store/sandbox-store.ts";
import type { CliContext } from "../command/context.ts";
import { resolvePath, sandboxContextOf } from "./context.ts";

/** Copies between here and a guest: one side is `<sandbox>:<path>`. */
export async function copyFiles(
  this: CliContext,
  flags: { readonly json?: boolean },
  from: string,
  to: string,
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const [source, target] = [parseGuestPath(from), parseGuestPath(to)];
  if ((source === undefined) === (target === undefined)) {
    throw new KeyframeError("usage", "one side must be <sandbox>:<path>, and only one");
  }
  const sandbox = findSandbox(sandboxContext, (source ?? target)?.sandbox ?? "");
  const copy = (guest: GuestChannel) =>
    source !== undefined
      ? copyOut(sandboxContext.files, guest, source.path, resolvePath(this, to))
      : copyIn(sandboxContext.files, guest, resolvePath(this, from), target?.path ?? "");
  const isReadable = ["stopped", "dead"].includes(sandboxState(sandboxContext, sandbox));
  if (source === undefined || !isReadable) mustRun(sandboxContext, sandbox);
  const result =
    source !== undefined && isReadable
      ? await withDiskOf(sandboxContext, sandbox, copy)
      : await withGuest(sandboxContext, sandbox, copy);
  if (flags.json) this.terminal.json(result);
  else this.terminal.note(`copied ${result.fileCount} files, ${formatBytes(result.sizeBytes)}`);
  for (const path of result.skipped) this.terminal.note(`keyframe: skipped ${path}: not a plain file`);
}

/** A path of this machine has a slash before its first colon, or no colon. */
function parseGuestPath(text: string): { readonly sandbox: string; readonly path: string } | undefined {
  const match = /^([A-Za-z0-9._-]+):(\/.*)$/.exec(text);
  return match === null ? undefined : { sandbox: match[1] ?? "", path: match[2] ?? "" };
}
