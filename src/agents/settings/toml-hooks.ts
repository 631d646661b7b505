import { KeyframeError } from "../../base/errors.ts";
import { agentHookCommand, parseHookCommand } from "./agent-program.ts";
import type { HookFile } from "./hook-file.ts";

const begin = "# keyframe: begin";
const end = "# keyframe: end";
const block = new RegExp(`\\n?${begin}\\n[\\s\\S]*?${end}\\n`);

/** A TOML file with one `[[hooks]]` table for each event; ours stand in a marked block at its end. */
export function tomlHookFile(path: string, agent: string, events: readonly string[]): HookFile {
  const remove = (text: string) => text.replace(block, "");
  return {
    path,
    add(text, { program, words }) {
      const rest = remove(text ?? "");
      if (/^\s*hooks\s*=/m.test(rest))
        throw new KeyframeError(
          "refused",
          "`hooks` in the settings is one value, to which no table can be added",
        );
      const tables = events.map(
        (event) =>
          `[[hooks]]\nevent = "${event}"\ncommand = ${JSON.stringify(agentHookCommand(program, agent, words))}\ntimeout = 30\n`,
      );
      const gap = rest === "" ? "" : rest.endsWith("\n") ? "\n" : "\n\n";
      return `${rest}${gap}${begin}\n${tables.join("")}${end}\n`;
    },
    remove,
    programs(text) {
      const value = /^command = (".*")$/m.exec(block.exec(text)?.[0] ?? "")?.[1];
      const program = value === undefined ? undefined : parseHookCommand(JSON.parse(value) as string, agent);
      return program === undefined ? [] : [program];
    },
  };
}
