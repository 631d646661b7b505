import { findRecentConversation } from "../../../agents/conversations/recent-conversation.ts";
import { findConnection } from "../../../agents/settings/connections.ts";
import type { Repository } from "../../../git/repository.ts";
import { listConnected, listHeard } from "../../../state/connected-agents.ts";
import type { Files } from "../../../system/files/files.ts";
import { homedir } from "../../../system/machine/home.ts";
import { readHomeFiles } from "../../enable/agent-files.ts";
import { holdsHooks } from "../../enable/plan-agent-file.ts";
import type { DoctorCheck } from "./check.ts";

/** A conversation goes on for so long after the last hook that was heard: a long answer of the model, or its end. */
const longestSilenceMs = 10 * 60_000;

/** Agents that are connected, have worked here since, and of which no hook ran. */
export const agentsCheck: DoctorCheck = {
  name: "agents",
  label: "agent",
  find({ cli, repository }) {
    const { files, env } = cli;
    const heard = new Map(listHeard(repository, files).map(({ tool, at }) => [tool, at]));
    const folder = repository.workTree ?? repository.gitDir;
    return [...connectedSince(repository, files, env)].flatMap(([tool, connectedMs]) => {
      const sinceMs = Math.max(connectedMs, heard.get(tool) ?? 0) + longestSilenceMs;
      const found = findRecentConversation(tool, { files, env, folder, sinceMs });
      if (found === undefined) return [];
      const at = new Date(found.writtenMs).toISOString();
      const note = findConnection(tool)?.note;
      return [
        {
          kind: "silent hooks",
          subject: tool,
          what: `its hooks are set up, and it worked here at ${at} (${found.path}) without one being heard`,
          repair: `run \`keyframe enable --agent ${tool}\` and start it anew${note === undefined ? "" : `; ${note}`}`,
          repairable: false,
          damage: false,
        },
      ];
    });
  },
};

/** Agents with hooks for this repository, and since when at the latest. */
function connectedSince(
  repository: Repository,
  files: Files,
  env: NodeJS.ProcessEnv,
): ReadonlyMap<string, number> {
  const home = readHomeFiles({ files, env, home: homedir() }).filter(holdsHooks);
  const inHome = home.map(
    ({ connection, path }) => [connection.agent, files.statTargetIfExists(path)?.mtimeMs ?? 0] as const,
  );
  return new Map([...inHome, ...listConnected(repository, files)]);
}
