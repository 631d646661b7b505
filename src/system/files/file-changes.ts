import { dirname } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { absent, type FileChange, type FileState, sameState } from "../../base/file-change.ts";
import type { Files } from "./files.ts";

/** What is at a path now. @throws KeyframeError `refused` for a directory or a device */
export function readFileState(path: string, files: Files): FileState {
  const stat = files.statIfExists(path);
  if (stat === undefined) return absent;
  if (stat.kind === "file") return { kind: "file", content: files.read(path), mode: stat.mode };
  const target = stat.kind === "symlink" ? files.readLinkIfExists(path) : undefined;
  if (target !== undefined) return { kind: "symlink", target };
  throw new KeyframeError("refused", `${path} is not a file (${stat.kind})`);
}

/**
 * Makes the changes in order. Each path is looked at again first: one that is no longer as the plan saw it is
 * refused, and the changes before it stand (running the command again finishes the rest).
 */
export function applyFileChanges(changes: readonly FileChange[], files: Files): void {
  for (const change of changes) {
    if (!sameState(readFileState(change.path, files), change.before)) {
      throw new KeyframeError("refused", `${change.path} changed while Keyframe was about to write it`, {
        hint: "run the command again",
      });
    }
    writeState(change.path, change.after, files);
  }
}

function writeState(path: string, state: FileState, files: Files): void {
  if (state.kind === "absent") {
    files.remove(path);
    return;
  }
  files.makeFolder(dirname(path));
  if (state.kind === "symlink") {
    files.remove(path);
    files.makeSymlink(state.target, path);
    return;
  }
  files.replace(path, state.content, { mode: state.mode });
  // the mode of a new file is cut by the umask
  files.setMode(path, state.mode);
}
