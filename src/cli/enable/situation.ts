import { delimiter, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import { type Git, openGit } from "../../git/git.ts";
import type { HookAction } from "../../git/hooks/hook-block.ts";
import { readHookSituations } from "../../git/hooks/hook-situation.ts";
import type { HookProgram } from "../../git/hooks/hook-watch.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { readFileState } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import { ifReachable } from "../../system/files/if-reachable.ts";
import { homedir } from "../../system/machine/home.ts";
import type { CliContext } from "../command/context.ts";
import { findPeers } from "../peers/find-peers.ts";
import { peerOfSettings, type TakenOver } from "../peers/take-over.ts";
import { type InstalledPath, readInstalled } from "../setup/installed.ts";
import { findAgents, readAgentFiles, readServerFiles } from "./agent-files.ts";
import type { EnableOptions, Situation } from "./plan.ts";
import { readSettingsSituations } from "./settings-situation.ts";

/** The repository of the current directory, as `enable`, `disable` and `status` see it. @throws KeyframeError */
export async function openSituation(context: CliContext): Promise<{ git: Git; situation: Situation }> {
  const { files, env } = context;
  const repository = mustFindRepository(context.cwd, context);
  if (repository.workTree === undefined) {
    throw new KeyframeError(
      "refused",
      `${repository.gitDir} is a bare repository: nobody edits files in it`,
      {
        hint: "run the command in a clone, or in one of its worktrees",
      },
    );
  }
  const git = openGit(repository, context.processes, env);
  const [hooks, settings] = [await readHookSituations(git, files), await readSettingsSituations(git, files)];
  const excludePath = join(repository.commonDir, "info", "exclude");
  const [agentFiles, serverFiles] = [
    await readAgentFiles(git, files),
    await readServerFiles(git, files, env),
  ];
  // git refuses a question about what lies behind a link, and nothing is written there
  const written = [...settings, ...agentFiles, ...serverFiles].filter(
    ({ state }) => state.kind !== "symlink",
  );
  const peers = await findPeers({ git, files, home: homedir(), hooks });
  const ofPeers = peers.map((peer) => peer.settings).filter(({ state }) => state.kind !== "symlink");
  const made = [...hooks, ...written, ...ofPeers].flatMap(({ workTreePath }) => workTreePath ?? []);
  const installed = readInstalled(repository, files);
  return {
    git,
    situation: {
      hooks,
      settings,
      agentFiles,
      serverFiles,
      found: findAgents({ files, env, home: homedir() }, repository.workTree),
      exclude: { path: excludePath, state: readFileState(excludePath, files) },
      ignored: await ignoredPaths(git, made),
      installed,
      peers,
      takenOver: readTakenOver(installed, files),
      switchedOff: isSwitchedOff(repository, files),
      onPath: isOnPath("keyframe", env, files),
    },
  };
}

/** Settings of peers that are in the record, as they are now. */
function readTakenOver(installed: readonly InstalledPath[], files: Files): TakenOver[] {
  return installed.flatMap((entry) => {
    const name = peerOfSettings(entry.path);
    return name === undefined ? [] : [{ name, entry, state: readFileState(entry.path, files) }];
  });
}

/** How hooks start this very program. */
export function enableOptions(
  program: CliContext["program"],
  choice: Pick<EnableOptions, "shared" | "agents" | "named" | "takeOver" | "mcp">,
): EnableOptions {
  return { ...choice, hookAction: hookActionOf(program), installed: { kind: "installed", ...program } };
}

export function hookActionOf(program: HookProgram): HookAction {
  return {
    pendingPaths: pendingPaths.join(" "),
    command: `${shellQuote(program.node)} ${shellQuote(program.entry)} hook git`,
    requires: shellQuote(program.entry),
  };
}

/** Where the journal of a worktree has something to settle: lines with an owner, or a shell call that has not ended. */
const pendingPaths = ["*/owned", "shell/*.json"].map(
  (path) => `"\${GIT_DIR:-.git}"/keyframe/journal/${path}`,
);

/** Of these paths below the work tree, those that some rule of git ignores. */
export async function ignoredPaths(git: Git, paths: readonly string[]): Promise<Set<string>> {
  // ends with 1 where nothing is ignored
  const { stdout } = await git.run(["check-ignore", "-z", "--stdin"], {
    stdin: paths.map((path) => `${path}\0`).join(""),
    okCodes: [0, 1],
  });
  return new Set(stdout.toString("utf8").split("\0"));
}

function isOnPath(program: string, env: NodeJS.ProcessEnv, files: Files): boolean {
  return (env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .some((folder) => {
      const stat = ifReachable(() => files.statTargetIfExists(join(folder, program)));
      return stat?.kind === "file" && (stat.mode & 0o111) !== 0;
    });
}
