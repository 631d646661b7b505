import { basename } from "node:path";
import { runProxy } from "../../acp/proxy.ts";
import { SessionRecorder } from "../../acp/session-recorder.ts";
import { asName } from "../../agents/fields.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Repository } from "../../git/repository.ts";
import { isConnectedHere } from "../../state/connected-agents.ts";
import { isSwitchedOff, isSwitchedOn } from "../../state/switch.ts";
import { homedir } from "../../system/machine/home.ts";
import { forwardSignals, shellExitCode } from "../../system/process/foreground.ts";
import { randomHex } from "../../system/random.ts";
import type { CliContext } from "../command/context.ts";
import { readHomeFiles } from "../enable/agent-files.ts";
import { holdsHooks } from "../enable/plan-agent-file.ts";
import type { AcpFlags } from "./acp-command.ts";

/** Larger files are not read to compute what they held before. */
const maxTextBytes = 4 * 1024 * 1024;

/** `keyframe acp` */
export async function acp(this: CliContext, flags: AcpFlags, ...words: string[]): Promise<void> {
  const [program = "", ...args] = words;
  const tool = flags.agent === undefined ? undefined : asName(flags.agent);
  if (flags.agent !== undefined && tool === undefined)
    throw new KeyframeError("usage", "the name of an agent is one short line");
  const agent = this.processes.start(program, args, { cwd: this.cwd, env: this.env });
  const release = forwardSignals((signal) => agent.kill(signal));
  const recorder = new SessionRecorder({
    machine: this,
    env: this.env,
    home: homedir(),
    mayRecord: mayRecordIn(this, flags.everywhere === true),
  });
  try {
    const exit = await runProxy({
      tool,
      fallbackTool: asName(basename(program)) ?? "acp",
      run: randomHex(this.random, 8),
      readText: (path) => readText(this, path),
      agent,
      editor: { input: process.stdin, output: process.stdout, errors: process.stderr },
      record: (event) => recorder.record(event),
    });
    this.process.exitCode = shellExitCode(exit);
  } finally {
    await recorder.done();
    release();
  }
}

function mayRecordIn(context: CliContext, everywhere: boolean) {
  const { files, env } = context;
  const heard = new Map<string, boolean>();
  return (repository: Repository, tool: string): boolean => {
    if (isSwitchedOff(repository, files)) return false;
    const key = `${repository.gitDir}\0${tool}`;
    let isHeard = heard.get(key);
    if (isHeard === undefined) {
      // hooks of its own say more than the protocol does: each event is taken once
      const inHome = readHomeFiles({ files, env, home: homedir() });
      isHeard =
        isConnectedHere(repository, files, tool) ||
        inHome.some((found) => found.connection.agent === tool && holdsHooks(found));
      heard.set(key, isHeard);
    }
    return !isHeard && (everywhere || isSwitchedOn(repository, files));
  };
}

function readText({ files }: CliContext, path: string): string | undefined {
  try {
    const stat = files.statTargetIfExists(path);
    if (stat?.kind !== "file" || stat.sizeBytes > maxTextBytes) return undefined;
    return files.read(path).toString("utf8");
  } catch {
    return undefined; // not readable: nothing is computed from it
  }
}
