/** What a scripted model tells an agent to do, whatever that agent's tools are called. */
export type AgentAction =
  | { readonly do: "say"; readonly text: string }
  | { readonly do: "read"; readonly path: string }
  /** Whole content; the path is relative to the directory in which the agent works. */
  | { readonly do: "write"; readonly path: string; readonly content: string }
  /** Whole lines without their last line end, which stand once in the file. */
  | { readonly do: "edit"; readonly path: string; readonly from: string; readonly to: string }
  | { readonly do: "shell"; readonly command: string }
  | { readonly do: "delete"; readonly path: string }
  | { readonly do: "rename"; readonly path: string; readonly to: string }
  /** A shell command whose call returns before the command ends. */
  | { readonly do: "background"; readonly command: string }
  /** A subagent whose own script is the one with this prompt. */
  | { readonly do: "delegate"; readonly prompt: string }
  /** The model's answer says that so many tokens are in the context. */
  | { readonly do: "fill"; readonly tokens: number }
  /** What happens between two calls of the agent, before the model answers. */
  | { readonly do: "meanwhile"; readonly run: () => Promise<void> | void };

/** An action that becomes a call of one of the agent's tools. */
export type ToolAction = Exclude<AgentAction, { do: "say" | "fill" | "meanwhile" }>;

/** A call as the agent's model would make it; `text` is the input of a tool that takes no JSON. */
export interface ScriptedCall {
  readonly name: string;
  /** Of a tool that belongs to a server, in Codex. */
  readonly namespace?: string;
  readonly input: Readonly<Record<string, unknown>> | { readonly text: string };
}

/** One answer of the model: texts and calls. */
export interface ScriptedReply {
  readonly text: string;
  readonly calls: readonly ScriptedCall[];
  /** Tokens that the request held, as the model says. */
  readonly inputTokens?: number;
  /** Happens before the answer is sent. */
  readonly before?: () => Promise<void>;
}

export const write = (path: string, content: string): AgentAction => ({ do: "write", path, content });
export const edit = (path: string, from: string, to: string): AgentAction => ({ do: "edit", path, from, to });
export const shell = (command: string): AgentAction => ({ do: "shell", command });
export const read = (path: string): AgentAction => ({ do: "read", path });
export const say = (text: string): AgentAction => ({ do: "say", text });
export const meanwhile = (run: () => Promise<void> | void): AgentAction => ({ do: "meanwhile", run });
