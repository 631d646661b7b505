import { isDeepStrictEqual } from "node:util";
import { KeyframeError } from "../../base/errors.ts";
import { asFields } from "../fields.ts";
import type { AgentProgram } from "./agent-program.ts";
import type { HookFile } from "./hook-file.ts";
import { insertJson, jsonMember, jsonValue, mustJsonObject, removeJson } from "./json-text.ts";
import { addTomlBlock, removeTomlBlock, tomlBlock } from "./toml-block.ts";

const serverName = "keyframe";

/** How an agent lists servers of the Model Context Protocol in a JSON file: `{"mcpServers": {"keyframe": {...}}}`. */
export interface JsonMcpShape {
  /** The member that holds the servers. */
  readonly list: string;
  readonly entryOf: (command: string, args: readonly string[]) => object;
}

/** A JSON file that names Keyframe's server. An entry of that name that Keyframe did not write is never changed. */
export function jsonMcpFile(path: string, { list, entryOf }: JsonMcpShape): HookFile {
  return {
    path,
    add(text = "{}\n", { program }) {
      const [command, ...args] = serverWords(program);
      const entry = entryOf(command, args);
      const present = entryIn(text, list);
      if (present !== undefined) {
        if (isDeepStrictEqual(present, entry)) return text;
        if (programIn(present) === undefined) return keepForeign(text, JSON.stringify(present));
      }
      return insertEntry(removeEntry(text, list), list, entry);
    },
    remove: (text) => (programIn(entryIn(text, list)) === undefined ? text : removeEntry(text, list)),
    programs: (text) => programIn(entryIn(text, list)) ?? [],
  };
}

/** A TOML file that names it in a table of its own, in a marked block at its end. */
export function tomlMcpFile(path: string): HookFile {
  return {
    path,
    add(text = "", { program }) {
      const rest = removeTomlBlock(text);
      if (/^\s*mcp_servers\s*=/m.test(rest))
        throw new KeyframeError(
          "refused",
          "`mcp_servers` in the settings is one value, to which no table can be added",
        );
      const [, after] = rest.split(/^\s*\[?\s*mcp_servers\s*\.\s*["']?keyframe\b/m);
      // up to the next table
      if (after !== undefined) return keepForeign(text, after.split(/^\s*\[/m)[0] ?? "");
      const [command, ...args] = serverWords(program);
      // JSON's strings and lists are TOML's too
      return addTomlBlock(
        text,
        `[mcp_servers.${serverName}]\ncommand = ${JSON.stringify(command)}\nargs = ${JSON.stringify(args)}\n`,
      );
    },
    remove: removeTomlBlock,
    programs(text) {
      const [, command, args] = /^command = (".*")\nargs = (\[.*\])$/m.exec(tomlBlock(text) ?? "") ?? [];
      if (command === undefined || args === undefined) return [];
      return programIn({ command: JSON.parse(command), args: JSON.parse(args) }) ?? [];
    },
  };
}

function serverWords(program: AgentProgram): readonly [string, ...string[]] {
  return program.kind === "installed" ? [program.node, program.entry, "mcp"] : ["keyframe", "mcp"];
}

/** Somebody's own entry serves as well where it starts Keyframe. @throws KeyframeError `refused` where it does not */
function keepForeign(text: string, entry: string): string {
  if (/keyframe[\s\S]*mcp/.test(entry)) return text;
  throw new KeyframeError("refused", `another server is called ${serverName} there`);
}

/** The program that an entry starts, if Keyframe wrote it: Node and an absolute path, which people do not type. */
function programIn(entry: unknown): readonly AgentProgram[] | undefined {
  const { command, args } = asFields(entry) ?? {};
  const words = [command, args].flat().filter((word) => word !== undefined);
  const [node, program, verb] = words;
  if (words.length !== 3 || verb !== "mcp" || typeof node !== "string" || typeof program !== "string")
    return undefined;
  return /^\/.*\/keyframe(?:\.cjs)?$/.test(program)
    ? [{ kind: "installed", node, entry: program }]
    : undefined;
}

function entryIn(text: string, list: string): unknown {
  const entry = jsonMember(jsonMember(mustJsonObject(text), list), serverName);
  return entry === undefined ? undefined : jsonValue(entry);
}

function insertEntry(text: string, list: string, entry: object): string {
  const root = mustJsonObject(text);
  const servers = jsonMember(root, list);
  if (servers === undefined) return insertJson(text, root, { key: list, value: { [serverName]: entry } });
  if (servers.kind !== "object")
    throw new KeyframeError("refused", `"${list}" in the settings is not an object`);
  return insertJson(text, servers, { key: serverName, value: entry });
}

/** Without the entry, and without the list where that leaves it empty. */
function removeEntry(text: string, list: string): string {
  const servers = jsonMember(mustJsonObject(text), list);
  if (servers?.kind !== "object") return text;
  const at = servers.members.findIndex(({ key }) => key === serverName);
  if (at === -1) return text;
  if (servers.members.length > 1) return removeJson(text, servers, at);
  const root = mustJsonObject(text);
  return removeJson(
    text,
    root,
    root.members.findIndex(({ key }) => key === list),
  );
}
