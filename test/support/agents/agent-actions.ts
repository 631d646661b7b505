/** What a scripted model tells an agent to do, whatever that agent's tools are called. */
export type AgentAction =
  | { readonly do: "say"; readonly text: string }
  | { readonly do: "read"; readonly path: string }
  /** Whole content; the path is relative to the directory in which the agent works. */
  | { readonly do: "write"; readonly path: string; readonly content: string }
  /** Whole lines without their last line end, which stand once in the file. */
  | { readonly do: "edit"; readonly path: string; readonly from: string; readonly to: string }
  | { readonly do: "shell"; readonly command: string };

/** A call as the agent's model would make it; `text` is the input of a tool that takes no JSON. */
export interface ScriptedCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>> | { readonly text: string };
}

/** One answer of the model: texts and calls. */
export interface ScriptedReply {
  readonly text: string;
  readonly calls: readonly ScriptedCall[];
}

export const write = (path: string, content: string): AgentAction => ({ do: "write", path, content });
export const edit = (path: string, from: string, to: string): AgentAction => ({ do: "edit", path, from, to });
export const shell = (command: string): AgentAction => ({ do: "shell", command });
export const read = (path: string): AgentAction => ({ do: "read", path });
