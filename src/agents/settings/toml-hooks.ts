import { KeyframeError } from "../../base/errors.ts";
import { agentHookCommand, parseHookCommand } from "./agent-program.ts";
import type { HookFile } from "./hook-file.ts";
import { addTomlBlock, removeTomlBlock, tomlBlock } from "./toml-block.ts";

/** A TOML file with one `[[hooks]]` table for each event; ours stand in a marked block at its end. */
export function tomlHookFile(path: string, agent: string, events: readonly string[]): HookFile {
  return {
    path,
    add(text = "", { program, words }) {
      if (/^\s*hooks\s*=/m.test(removeTomlBlock(text)))
        throw new KeyframeError(
          "refused",
          "`hooks` in the settings is one value, to which no table can be added",
        );
      const tables = events.map(
        (event) =>
          `[[hooks]]\nevent = "${event}"\ncommand = ${JSON.stringify(agentHookCommand(program, agent, words))}\ntimeout = 30\n`,
      );
      return addTomlBlock(text, tables.join(""));
    },
    remove: removeTomlBlock,
    programs(text) {
      const value = /^command = (".*")$/m.exec(tomlBlock(text) ?? "")?.[1];
      const program = value === undefined ? undefined : parseHookCommand(JSON.parse(value) as string, agent);
      return program === undefined ? [] : [program];
    },
  };
}
