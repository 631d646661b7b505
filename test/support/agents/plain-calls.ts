import { join } from "node:path";
import type { ScriptedCall } from "./agent-actions.ts";
import type { PlainAction } from "./real-agent.ts";

/** Calls of an agent whose tools differ from others' in names only. */
export function plainCalls(names: {
  readonly write: readonly [tool: string, path: string, content: string];
  readonly edit: readonly [tool: string, path: string, from: string, to: string, more?: object];
  readonly shell: readonly [tool: string, command: string, more?: object];
  readonly read: readonly [tool: string, path: string];
}) {
  return (action: PlainAction, cwd: string): ScriptedCall => {
    switch (action.do) {
      case "write": {
        const [name, path, content] = names.write;
        return { name, input: { [path]: join(cwd, action.path), [content]: action.content } };
      }
      case "edit": {
        const [name, path, from, to, more] = names.edit;
        return {
          name,
          input: { [path]: join(cwd, action.path), [from]: action.from, [to]: action.to, ...more },
        };
      }
      case "shell": {
        const [name, command, more] = names.shell;
        return { name, input: { [command]: action.command, ...more } };
      }
      case "read":
        return { name: names.read[0], input: { [names.read[1]]: join(cwd, action.path) } };
    }
  };
}
