import { dirname, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { runTool } from "../../sandbox/image/run-tool.ts";
import { type SandboxContext, stagingPath, withLock } from "../../sandbox/store/home.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";

/** What runs programs of an image that need Node, and Keyframe: the Node of this machine. */
export const guestNode = "/opt/keyframe/bin/node";

/** The npm packages of agents that can be put into an image, and the native program in them where there is one. */
const packages: ReadonlyMap<string, { readonly name: string; readonly native?: string }> = new Map([
  [
    "claude",
    {
      name: "@anthropic-ai/claude-code",
      native: `@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude`,
    },
  ],
  ["codex", { name: "@openai/codex" }],
]);

export interface AgentVersion {
  readonly agent: string;
  /** The newest if absent. */
  readonly version?: string;
}

/** `claude` or `claude@2.1.329`. @throws KeyframeError `usage` */
export function parseAgentVersion(text: string): AgentVersion {
  const [, agent = "", version] = /^([a-z]+)(?:@(\d[0-9A-Za-z.+-]{0,40}))?$/.exec(text) ?? [];
  if (!packages.has(agent))
    throw new KeyframeError("usage", `no agent to put into an image: ${JSON.stringify(text.slice(0, 60))}`, {
      hint: `known are ${[...packages.keys()].join(" and ")}, each with @version or without`,
    });
  return version === undefined ? { agent } : { agent, version };
}

/**
 * Directories to lay over an image: each agent, installed by npm once for each version and kept, and Node. Their programs
 * are in `/usr/local/bin`.
 */
export async function agentLayers(
  sandboxContext: SandboxContext,
  env: NodeJS.ProcessEnv,
  {
    agents,
    progress,
  }: { readonly agents: readonly AgentVersion[]; readonly progress: (text: string) => void },
): Promise<string[]> {
  if (agents.length === 0) return [];
  const layers = [await kept(sandboxContext, `node-${process.version}`, putNode)];
  for (const { agent, version } of agents) {
    const found = version ?? (await newestVersion(sandboxContext, env, agent));
    progress(`${agent} ${found}`);
    layers.push(
      await kept(sandboxContext, `${agent}-${found}`, (sandboxContext, root) =>
        install(sandboxContext, env, { agent, version: found, root }),
      ),
    );
  }
  return layers;
}

/** A directory of the home that is made once: beside first, so that one that was cut off does not look whole. */
async function kept(
  sandboxContext: SandboxContext,
  name: string,
  make: (sandboxContext: SandboxContext, root: string) => Promise<void>,
): Promise<string> {
  const path = join(sandboxContext.home.folder("agents"), name);
  return withLock(sandboxContext, `agents-${name}`, async () => {
    if (sandboxContext.files.statIfExists(path) !== undefined) return path;
    const root = stagingPath(sandboxContext, "agent");
    sandboxContext.files.makeFolder(root, { mode: 0o755 });
    try {
      await make(sandboxContext, root);
      sandboxContext.files.rename(root, path);
    } finally {
      sandboxContext.files.removeTree(root);
    }
    return path;
  });
}

async function putNode(sandboxContext: SandboxContext, root: string): Promise<void> {
  const target = join(root, guestNode);
  makeParents(sandboxContext, root, target);
  nodeCopyTree(sandboxContext.program.node, target);
}

async function newestVersion(
  sandboxContext: SandboxContext,
  env: NodeJS.ProcessEnv,
  agent: string,
): Promise<string> {
  const { name } = mustKnow(agent);
  const result = await sandboxContext.processes.run("npm", ["view", name, "version"], {
    env,
    timeoutMs: npmLimitMs,
  });
  const version = result.stdout.toString("utf8").trim();
  if (result.code === 0 && /^\d[0-9A-Za-z.+-]{0,40}$/.test(version)) return version;
  throw new KeyframeError(
    "program-failed",
    `npm does not say the newest version of ${name}: ${result.stderr.trim().slice(-500)}`,
    {
      hint: `name one: --agent ${agent}@<version>`,
    },
  );
}

const npmLimitMs = 15 * 60_000;

async function install(
  sandboxContext: SandboxContext,
  env: NodeJS.ProcessEnv,
  { agent, version, root }: { readonly agent: string; readonly version: string; readonly root: string },
): Promise<void> {
  const { name, native } = mustKnow(agent);
  const inGuest = `/opt/keyframe/agents/${agent}`;
  const folder = join(root, inGuest);
  makeParents(sandboxContext, root, join(folder, "package.json"));
  sandboxContext.files.replace(join(folder, "package.json"), Buffer.from('{"private":true}\n'), {
    mode: 0o644,
  });
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${version}`];
  const result = await sandboxContext.processes.run("npm", args, { cwd: folder, env, timeoutMs: npmLimitMs });
  if (result.code !== 0)
    throw new KeyframeError(
      "program-failed",
      `npm could not install ${name}@${version}: ${result.stderr.trim().slice(-500)}`,
    );
  const modules = join(folder, "node_modules");
  const hasNative =
    native !== undefined && sandboxContext.files.statIfExists(join(modules, native)) !== undefined;
  const program = hasNative ? native : `${name}/${scriptOf(sandboxContext, join(modules, name), agent)}`;
  const start = hasNative
    ? `exec ${inGuest}/node_modules/${program}`
    : `exec ${guestNode} ${inGuest}/node_modules/${program}`;
  const shim = join(root, "usr/local/bin", agent);
  makeParents(sandboxContext, root, shim);
  sandboxContext.files.replace(shim, Buffer.from(`#!/bin/sh\n${start} "$@"\n`), { mode: 0o755 });
  await runTool(sandboxContext, "chmod", ["-R", "a+rX", root]);
}

/** The program of a package, as its `bin` names it. */
function scriptOf(sandboxContext: SandboxContext, folder: string, agent: string): string {
  const manifest: unknown = JSON.parse(
    sandboxContext.files.read(join(folder, "package.json")).toString("utf8"),
  );
  const bin =
    typeof manifest === "object" && manifest !== null && "bin" in manifest ? manifest.bin : undefined;
  const named = typeof bin === "object" && bin !== null ? (bin as Record<string, unknown>)[agent] : bin;
  if (typeof named === "string" && /^[A-Za-z0-9._/-]+$/.test(named) && !named.includes("..")) return named;
  throw new KeyframeError("damaged", `${folder}/package.json names no program ${agent}`);
}

function mustKnow(agent: string): { readonly name: string; readonly native?: string } {
  const found = packages.get(agent);
  if (found === undefined) throw new KeyframeError("usage", `no agent to put into an image: ${agent}`);
  return found;
}

/** Directories that the image's own take over need the same mode whatever the caller's mask is. */
function makeParents(sandboxContext: SandboxContext, root: string, path: string): void {
  const missing: string[] = [];
  for (let folder = dirname(path); folder.length > root.length; folder = dirname(folder))
    missing.unshift(folder);
  for (const folder of missing) {
    sandboxContext.files.makeFolder(folder);
    sandboxContext.files.setMode(folder, 0o755);
  }
}
