import { describe, expect, test } from "vitest";
import { agentConnections } from "../../src/agents/settings/connections.ts";
import type { HookFile } from "../../src/agents/settings/hook-file.ts";
import { KeyframeError } from "../../src/base/errors.ts";
import { absent, type FileState, textFile } from "../../src/base/file-change.ts";
import type { AgentFile } from "../../src/cli/enable/agent-files.ts";
import { planAgentFile, planAgentFileRemoval } from "../../src/cli/enable/plan-agent-file.ts";

const installed = { kind: "installed", node: "/n/node", entry: "/k/keyframe.cjs" } as const;

/** Every file that connects any agent, in a repository and in a home. */
const rows = agentConnections.flatMap((connection) => {
  const at = (place: string) => (file: HookFile) =>
    [`${connection.agent} in the ${place}`, file.path, { connection, file, place }] as const;
  return [...connection.repository.map(at("repository")), ...connection.home({}).map(at("home"))];
});

function fileOf({ connection, file, place }: (typeof rows)[number][2], state: FileState): AgentFile {
  const workTreePath = place === "home" ? undefined : file.path;
  return { connection, file, path: `/top/${file.path}`, workTreePath, state, committed: false };
}

const damaged = (path: string) => (path.endsWith(".toml") ? "hooks = 5\n" : "{");

describe.each(rows)("%s (%s)", (_, path, row) => {
  test.each([
    ["damaged", fileOf(row, textFile(damaged(path), 0o644))],
    ["a symlink", fileOf(row, { kind: "symlink", target: "/elsewhere" })],
    ["read-only", fileOf(row, textFile("", 0o444))],
    ["committed", { ...fileOf(row, textFile("{}\n", 0o644)), committed: true }],
  ] as const)("%s: refused by name where the agent was named, else left alone", (kind, found) => {
    expect(() => planAgentFile(found, { installed, named: true })).toThrow(KeyframeError);
    expect(() => planAgentFile(found, { installed, named: true })).toThrow(found.path);
    expect(planAgentFile(found, { installed })).toMatchObject({
      standing: kind === "committed" ? "committed" : "refused",
      changes: [],
    });
    expect(planAgentFileRemoval(found)).toEqual([]);
  });

  test("what is written is taken back whole", () => {
    const [change] = planAgentFile(fileOf(row, absent), { installed, named: true }).changes;
    if (change === undefined) throw new Error("nothing is written");
    const [removal] = planAgentFileRemoval(fileOf(row, change.after));
    expect(removal).toMatchObject({ path: `/top/${path}`, before: change.after });
  });
});
