import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../git.ts";
import type { Remote } from "./remote.ts";

/** How far a transfer is, from what git says. */
export interface TransferProgress {
  /** "Receiving objects", "Writing objects", ... */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

export interface NetworkOptions {
  readonly stdin?: string;
  readonly onProgress?: (progress: TransferProgress) => void;
  /** Sees each line that is no progress; "stop" ends the command, which is then no failure. */
  readonly onLine?: (line: string) => "stop" | undefined;
  /** A remote that says nothing for so long is given up. */
  readonly idleTimeoutMs?: number;
}

export interface NetworkResult {
  readonly code: number;
  readonly stopped: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export const defaultIdleTimeoutMs = 60_000;
const maxTextBytes = 1024 * 1024;

/**
 * Runs a git command that talks to a remote. It never waits for an answer of the user, starts no clean-up of the
 * repository, and ends when the remote falls silent; object data goes where git puts it, never through here. A
 * non-zero exit is a result: `remoteFailure` makes an error of it.
 * @throws KeyframeError `timed-out`
 */
export async function runOverNetwork(
  git: Git,
  remote: Remote,
  args: readonly string[],
  options: NetworkOptions = {},
): Promise<NetworkResult> {
  const child = git.start([...quietly, ...args], { env: promptless(remote) });
  const idleMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
  let stdout = "";
  let stderr = "";
  let stopped = false;
  let silent = false;
  const giveUp = () => {
    silent = true;
    child.kill("SIGKILL");
    // helpers of git that outlive it must not keep us: their pipes are ours to close
    child.stdout.destroy();
    child.stderr.destroy();
  };
  let timer = setTimeout(giveUp, idleMs);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(giveUp, idleMs);
  };
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    heard();
    if (stdout.length < maxTextBytes) stdout += piece;
  });
  let held = "";
  const take = (line: string) => {
    const progress = parseProgress(line);
    if (progress !== undefined) return options.onProgress?.(progress);
    if (line.trim() === "" || /^remote: (?:Enumerating|Counting|Compressing|Total) /.test(line)) return;
    if (stderr.length < maxTextBytes) stderr += `${line.trimEnd()}\n`;
    if (options.onLine?.(line) !== "stop" || stopped) return;
    stopped = true;
    child.kill("SIGTERM");
  };
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    heard();
    const lines = (held + piece).split(/[\r\n]/);
    held = lines.pop() ?? "";
    for (const line of lines) take(line);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  try {
    const { code } = await child.exited;
    take(held);
    if (silent) {
      throw new KeyframeError("timed-out", `${remote.name} did not answer for ${idleMs / 1000} s`, {
        hint: "nothing was changed; run the command again when the remote answers",
      });
    }
    return { code, stopped, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

const quietly = [
  "gc.auto=0",
  "maintenance.auto=false",
  "credential.interactive=false",
  "http.lowSpeedLimit=1",
  "http.lowSpeedTime=60",
  "fetch.recurseSubmodules=false",
  "fetch.writeCommitGraph=false",
  "push.recurseSubmodules=no",
].flatMap((setting) => ["-c", setting]);

/** Passphrases, passwords and host keys are not asked for; agents and credential helpers answer as always. */
function promptless({ sshCommand }: Remote): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { GCM_INTERACTIVE: "never", GIT_MERGE_AUTOEDIT: "no" };
  if (process.env["GIT_SSH_COMMAND"] !== undefined || process.env["GIT_SSH"] !== undefined) return env;
  const command = sshCommand ?? "ssh";
  // other programs (plink) spell the option otherwise
  if (/^\s*(?:\S*\/)?ssh(?:\.exe)?(?:\s|$)/.test(command))
    env["GIT_SSH_COMMAND"] = `${command} -o BatchMode=yes`;
  return env;
}

function parseProgress(line: string): TransferProgress | undefined {
  const match = /^(?:remote: )?([A-Z][a-z]+ [a-z]+): +\d+% \((\d+)\/(\d+)\)/.exec(line);
  if (match?.[1] === undefined) return undefined;
  return { phase: match[1], done: Number(match[2]), total: Number(match[3]) };
}

/** What git said of a failed transfer as an error that names the remote and what was wanted of it. */
export function remoteFailure(remote: Remote, what: string, stderr: string): KeyframeError {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const why =
    lines.find((line) => /^(?:fatal|error|remote: (?:fatal|error)|ssh): /i.test(line)) ??
    lines[0] ??
    "no reason given";
  const cause = new Error(lines.slice(0, 20).join("\n"));
  const fail = (code: "disk-full" | "damaged" | "remote-failed", hint: string) =>
    new KeyframeError(code, `${what} (remote ${remote.name}): ${why.slice(0, 400)}`, { hint, cause });
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    return fail("disk-full", "free some space and run the command again");
  }
  if (damagedPack.test(stderr)) {
    return fail(
      "damaged",
      "what the remote sent was refused, and nothing of it was kept: check the remote with `git fsck`",
    );
  }
  if (
    /Authentication failed|could not read (?:Username|Password)|Permission denied|terminal prompts disabled|\b40[13]\b/i.test(
      stderr,
    )
  ) {
    return fail(
      "remote-failed",
      "log in once with git itself (`git ls-remote <remote>`); Keyframe does not ask for passwords",
    );
  }
  return fail("remote-failed", "check the address and the network; nothing was changed");
}

const damagedPack =
  /inflate|bad (?:pack|object|tree)|pack is corrupted|pack has|packfile .* (?:corrupt|checksum)|unresolved delta|invalid index-pack|SHA1 COLLISION|hash mismatch|fsck error|did not receive expected object|pack signature mismatch|object .* is a .*, not a/i;
