// Covers src/acp/** and src/cli/acp/**: real agents behind the proxy, with a small editor and a scripted model.
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { AcpClient } from "../support/agents/acp-client.ts";
import { type AgentAction, edit, shell, write } from "../support/agents/agent-actions.ts";
import { installPackage } from "../support/agents/install-package.ts";
import { newerNodeFolder, replyOf, writeAgentSettings } from "../support/agents/real-agent.ts";
import { realAgents } from "../support/agents/real-agents.ts";
import { startScriptedEndpoint } from "../support/agents/scripted-endpoint.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
afterEach(() => repository.remove());

/** How each is told to speak the protocol and to ask before it does something. */
const speaking: Readonly<Record<string, readonly string[]>> = {
  qwen: ["--acp", "--auth-type", "openai", "--approval-mode", "default"],
  kimi: ["acp"],
};

const replies: readonly (readonly AgentAction[])[] = [
  [write("made.txt", "one\ntwo\n")],
  [edit("made.txt", "two", "two changed\nthree")],
  [shell("printf 'from the shell\\n' >>shell.txt; exit 3")],
  [{ do: "say", text: "all done" }],
];

async function converse(name: string, prompt: string): Promise<string> {
  const agent = realAgents.find((each) => each.name === name);
  if (agent === undefined) throw new Error(`no agent ${name}`);
  const cwd = repository.folder;
  const home = repository.env["HOME"] ?? "";
  const endpoint = await startScriptedEndpoint([
    {
      marker: prompt,
      replies: replies.map((actions) => replyOf(actions, agent, cwd)),
    },
  ]);
  const run = { url: endpoint.url, cwd, home, prompt };
  writeAgentSettings(agent, run);
  const path = `${newerNodeFolder()}:${repository.env["PATH"]}`;
  const env = { ...repository.env, ...agent.env(run), PATH: path, TERM: "dumb", NO_COLOR: "1" };
  const program = join(installPackage(agent.packageName, agent.version), agent.program);
  const words = [process.execPath, keyframeProgram, "acp", "--", program, ...(speaking[name] ?? [])];
  const client = new AcpClient(words, { cwd, env });
  try {
    return await client.converse(prompt, cwd);
  } finally {
    await client.close();
    await endpoint.close();
  }
}

describe.each(Object.keys(speaking))("%s behind the proxy", (name) => {
  test("its files are its own, a person's are not, and the conversation is kept", async () => {
    repository = createTestRepository();
    repository.write("person.txt", "unseen\n");
    repository.commit("start");
    repository.keyframe(["enable", "--agent", "claude"]);
    repository.write("person.txt", "unseen\nmore\n");
    const sessionId = await converse(name, "make three lines");
    expect(repository.git("status", "--short")).toMatch(/\?\? made\.txt\n\?\? shell\.txt/);
    repository.commit("by the agent");
    const owners = (path: string) => {
      const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as {
        blame: { owner: { kind: string; tool?: string; label?: string } | null }[];
      };
      return blame.map(({ owner }) => owner?.kind ?? "unknown");
    };
    expect(owners("made.txt")).toEqual(["agent", "agent", "agent"]);
    expect(owners("shell.txt")).toEqual(["agent"]);
    expect(owners("person.txt")).toEqual(["unknown", "unknown"]);
    const note = repository.keyframe(["show", "--json", "HEAD"]).stdout;
    expect(note).toContain(`"${name}"`);
    expect(note).toContain(sessionId);
    const explained = repository.keyframe(["explain", "HEAD"]).stdout;
    expect(explained).toContain("make three lines");
  });
});
