import { hookProfiles } from "../../../src/agents/hooks/registry.ts";
import { type AgentConnection, agentConnections } from "../../../src/agents/settings/connections.ts";
import { realAgents } from "./real-agents.ts";

/** The table of agents in `docs/agents.md`, as code and tests have it. */
export function agentsTable(): string {
  const rows = agentConnections.map((connection) => [
    `${connection.title} (\`${connection.agent}\`)`,
    placeOf(connection),
    homeOf(connection),
    afterFailure(connection.agent),
    modelOf(connection.agent),
    testedWith(connection.agent),
  ]);
  const head = ["agent", "in a repository", "in the home", "a call that fails", "model", "tested with"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function placeOf({ agent, repository }: AgentConnection): string {
  if (agent === "claude") return "`.claude/settings.local.json`";
  const [first, ...others] = repository;
  if (first === undefined) return "-";
  return others.length === 0 ? `\`${first.path}\`` : `\`${first.path}\` and ${others.length} more`;
}

function homeOf({ home }: AgentConnection): string {
  const [first] = home({});
  return first === undefined ? "-" : `\`~/${first.path}\``;
}

function afterFailure(agent: string): string {
  const afterHooks = hookProfiles.find(({ name }) => name === agent)?.afterHooks;
  if (afterHooks === "dropped") return "fires no hook: settled by the next event";
  return afterHooks === "late" ? "is not waited for: settled by the next event" : "is told";
}

function modelOf(agent: string): string {
  const profile = hookProfiles.find(({ name }) => name === agent);
  if (agent === "claude" || profile?.modelInLines !== undefined || profile?.modelInDocument !== undefined)
    return "from the transcript";
  return profile?.places.model === undefined || agent === "auggie" ? "not told" : "in the payload";
}

/** The real program that runs the conformance suite; else only payloads that others recorded. */
function testedWith(agent: string): string {
  const real = realAgents.find(({ name }) => name === agent);
  return real === undefined ? "payloads that others recorded" : `the real program, ${real.version}`;
}
