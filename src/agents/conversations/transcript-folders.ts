import { delimiter, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { homedir } from "../../system/machine/home.ts";
import { codexHome } from "./conversation-place.ts";

/** A transcript's path as a payload names it, once it was found to be where its agent keeps conversations. */
export type TranscriptPlace =
  /** Without symlinks, so that what is read later is what was judged. */
  { readonly path: string } | { readonly why: string };

export interface PlaceDeps {
  readonly files: Files;
  /** The environment of the process by default: an agent hands its own to its hooks. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Whether a path from a payload may be a transcript of this agent: below the agent's own directory of conversations, or
 * below one that the user names in `KEYFRAME_TRANSCRIPTS`, and not through a symlink from there on. What is stored of a
 * transcript is pushed, so anything else would make any file of the user's public. The file need not exist yet.
 */
export function placeTranscript(tool: string, path: string, deps: PlaceDeps): TranscriptPlace {
  const { files, env = process.env } = deps;
  const shown = JSON.stringify(path.slice(0, 300));
  if (!isAbsolute(path) || path.includes("\0"))
    return { why: `the transcript ${shown} is not an absolute path` };
  for (const folder of [...conversationFolders(tool, env), ...namedFolders(env)]) {
    const real = files.realPathIfExists(folder) ?? folder;
    const inside = pathInside(folder, path) ?? pathInside(real, path);
    if (inside === undefined) continue;
    const canonical = join(real, inside);
    const target = files.realPathIfExists(canonical) ?? canonical;
    return target === canonical
      ? { path: canonical }
      : { why: `the transcript ${shown} is reached through a symlink` };
  }
  return {
    why: `the transcript ${shown} is not in a directory where ${tool} keeps conversations; name its directory in KEYFRAME_TRANSCRIPTS`,
  };
}

function pathInside(folder: string, path: string): string | undefined {
  const inside = relative(folder, resolve(path));
  return inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)
    ? undefined
    : inside;
}

/** Directories that the user names, for agents that were told to keep their conversations elsewhere. */
function namedFolders(env: NodeJS.ProcessEnv): readonly string[] {
  return (env["KEYFRAME_TRANSCRIPTS"] ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
}

/** Where an agent keeps its conversations. */
export function conversationFolders(tool: string, env: NodeJS.ProcessEnv): readonly string[] {
  const home = env["HOME"] || homedir();
  return known.get(tool)?.({ home, env }) ?? [];
}

interface Home {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
}

const belowHome =
  (...paths: readonly string[]) =>
  ({ home }: Home) =>
    paths.map((path) => join(home, path));

const known: ReadonlyMap<string, (at: Home) => readonly string[]> = new Map([
  ["claude", ({ home, env }: Home) => [join(env["CLAUDE_CONFIG_DIR"] || join(home, ".claude"), "projects")]],
  ["codex", (at: Home) => ["sessions", "archived_sessions"].map((name) => join(codexHome(at), name))],
  ["gemini", belowHome(".gemini/tmp")],
  ["qwen", belowHome(".qwen/projects", ".qwen/tmp")],
  ["copilot", belowHome(".copilot/session-state")],
  ["cursor", belowHome(".cursor/projects", ".cursor/chats")],
  ["droid", belowHome(".factory/sessions")],
  ["pi", belowHome(".pi/agent/sessions")],
  ["cline", belowHome(".cline/data/sessions")],
  ["auggie", belowHome(".augment/sessions")],
  ["continue-cli", belowHome(".continue/sessions")],
  ["windsurf", belowHome(".windsurf", ".codeium/windsurf")],
  ["vscode-copilot", vscodeFolders],
  ["kimi", ({ home, env }: Home) => [join(env["KIMI_CODE_HOME"] || join(home, ".kimi-code"), "sessions")]],
  // copies that our plugin makes of what lies in a database
  ["opencode", (at: Home) => [join(dataHome(at), "opencode", "keyframe")]],
  ["kilo", (at: Home) => [join(dataHome(at), "kilo", "keyframe")]],
]);

function dataHome({ home, env }: Home): string {
  return env["XDG_DATA_HOME"] || join(home, ".local", "share");
}

/** Editors keep chats below their own directory of workspaces, whose name depends on the system and the edition. */
function vscodeFolders({ home }: Home): readonly string[] {
  const editions = ["Code", "Code - Insiders", "VSCodium"];
  const places = editions.flatMap((name) => [
    join(home, ".config", name, "User"),
    join(home, "Library/Application Support", name, "User"),
  ]);
  return [...places, join(home, ".vscode-server/data/User"), join(home, ".vscode-server-insiders/data/User")];
}
