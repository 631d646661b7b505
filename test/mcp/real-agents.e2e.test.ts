// Covers src/mcp/serve-stdio.ts and the commands of docs/mcp.md: real agents ask Keyframe while a scripted model works.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { say, shell } from "../support/agents/agent-actions.ts";
import { installPackage } from "../support/agents/install-package.ts";
import { type RealAgent, runRealAgent, writeAgentSettings } from "../support/agents/real-agent.ts";
import { realAgents } from "../support/agents/real-agents.ts";
import { isOffline } from "../support/real-claude.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeAll(async () => {
  repository = createTestRepository();
  repository.write("parser.ts", "by a person\n");
  repository.commit("Start");
  repository.keyframe(["enable"]);
  const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-00000000000d", {
    through: "program",
  });
  await session.prompt("make the parser retry");
  await session.write("parser.ts", "by a person\nretry();\n");
  await session.stop();
  repository.commit("Retry in the parser");
});
afterAll(() => repository.remove());

const question = { path: "parser.ts", revision: "HEAD" };

/** How an agent is let use the tools, and how its model calls one. */
const asking = {
  claude: {
    words: (words: readonly string[]) =>
      words.map((word) => (word === "Bash Write Edit Read Agent" ? `${word} mcp__keyframe__why` : word)),
    call: { name: "mcp__keyframe__why", input: question },
  },
  codex: {
    // its newer models look for tools first, and it does not wait for a server that is not required
    words: ([command = "", ...words]: readonly string[]) => [
      ...[command, "-m", "gpt-5.1", "-c", "mcp_servers.keyframe.required=true"],
      ...["-c", "mcp_servers.keyframe.startup_timeout_sec=120"],
      ...words,
    ],
    call: { name: "why", namespace: "mcp__keyframe", input: question },
  },
} as const;

/** The agent with one more tool, which its model calls where the script says `shell`. */
function askingAgent(name: keyof typeof asking): RealAgent {
  const agent = realAgents.find((each) => each.name === name);
  if (agent === undefined) throw new Error(`no agent ${name}`);
  const { words, call } = asking[name];
  return { ...agent, args: (run) => words(agent.args(run)), calls: () => call };
}

/** What the agent sends back to its model as the tool's answer, out of a request that holds all its prompts. */
function answerIn(request: string): string {
  const at = request.search(/"type":"(?:tool_result|function_call_output)"/);
  return request.slice(at, at + 1000);
}

test.skipIf(isOffline).each([
  ["claude", "its own command"],
  ["codex", "its own command"],
  ["claude", "keyframe enable"],
  ["codex", "keyframe enable"],
] as const)(
  "%s, told by %s, asks why a line is there, and its model reads the prompt that led to it",
  { timeout: 240_000 },
  async (name, teller) => {
    const agent = askingAgent(name);
    const home = repository.env["HOME"] ?? "";
    const run = { url: "http://127.0.0.1:1", cwd: repository.folder, home, prompt: "" };
    writeAgentSettings(agent, run);
    mkdirSync(join(home, ".codex"), { recursive: true });
    const program = join(installPackage(agent.packageName, agent.version), agent.program);
    const env = { ...repository.env, ...agent.env(run) };
    // as docs/mcp.md says
    if (teller === "keyframe enable") {
      execFileSync(program, ["mcp", "remove", "keyframe"], { cwd: repository.folder, env });
      const words = ["enable", "--global", "--agent", name, "--mcp"];
      execFileSync(process.execPath, [keyframeProgram, ...words], { cwd: repository.folder, env });
    } else
      execFileSync(program, ["mcp", "add", "keyframe", "--", process.execPath, keyframeProgram, "mcp"], {
        cwd: repository.folder,
        env,
      });
    const { asked } = await runRealAgent({
      agent,
      cwd: repository.folder,
      // Claude Code goes on without a server that takes longer
      env: { ...repository.env, MCP_TIMEOUT: "120000", MCP_CONNECTION_NONBLOCKING: "0" },
      prompt: "ASK why",
      replies: [[shell("why")], [say("I see.")]],
    });
    const answer = answerIn(asked.at(-1) ?? "");
    expect(answer).toContain("parser.ts:line 2: agent claude");
    expect(answer).toContain("make the parser retry");
  },
);
