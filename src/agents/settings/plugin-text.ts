import type { HookStart } from "./hook-file.ts";

/** How a plugin starts a hook: it is handed to the agent as it stands here, so it uses nothing but Node. */
function tellText(agent: string, { program, words }: HookStart): string {
  const start = program.kind === "installed" ? [program.node, program.entry] : ["keyframe"];
  return `import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const program = ${JSON.stringify(start)};
const words = ${JSON.stringify(["hook", agent, ...words])};
const longestMs = 30000;

// never fails and never says anything: the agent goes on whatever happens here
function tell(payload) {
  return new Promise((resolve) => {
    try {
      const child = spawn(program[0], [...program.slice(1), ...words], { stdio: ["pipe", "ignore", "ignore"] });
      const timer = setTimeout(resolve, longestMs);
      const done = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
      child.once("error", done);
      child.once("close", done);
      child.stdin.on("error", () => {});
      child.stdin.end(JSON.stringify({ keyframe_plugin: "${agent}", ...payload }));
    } catch {
      resolve(undefined);
    }
  });
}
`;
}

/** The plugin of OpenCode and of agents that took its interface over. */
export function opencodePluginText(agent: string, start: HookStart): string {
  return `${tellText(agent, start)}
export const Keyframe = async ({ directory, client }) => {
  const models = new Map();
  const parents = new Map();
  const open = new Map();

  const from = (id) => {
    const parent = parents.get(id);
    return {
      cwd: directory,
      session_id: parent ?? id,
      model: models.get(id),
      ...(parent === undefined ? {} : { subagent_id: id }),
    };
  };

  // its conversations lie in a database: a copy beside it, in the form of its own export
  const saveTranscript = async (id) => {
    try {
      const path = { id };
      const [info, messages] = await Promise.all([client.session.get({ path }), client.session.messages({ path })]);
      const folder = join(process.env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "${agent}", "keyframe");
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, id.replace(/[^A-Za-z0-9_-]/g, "") + ".json");
      writeFileSync(file, JSON.stringify({ info: info.data, messages: messages.data ?? [] }), { mode: 0o600 });
      return file;
    } catch {
      return undefined;
    }
  };

  const after = async (callId) => {
    const call = open.get(callId);
    open.delete(callId);
    if (call !== undefined) await tell({ ...call, event: "after-tool" });
  };

  return {
    "chat.message": async (input, output) => {
      const message = output.message ?? {};
      const id = input.sessionID ?? message.sessionID;
      if (message.model?.modelID) models.set(id, message.model.modelID);
      if (parents.has(id)) return;
      const texts = (output.parts ?? []).filter((part) => part.type === "text" && !part.synthetic);
      await tell({ ...from(id), event: "prompt", prompt: texts.map((part) => part.text).join("\\n") });
    },
    "tool.execute.before": async (input, output) => {
      const call = {
        ...from(input.sessionID),
        tool_name: input.tool,
        tool_use_id: input.callID,
        tool_input: output.args,
      };
      open.set(input.callID, call);
      await tell({ ...call, event: "before-tool" });
    },
    "tool.execute.after": async (input) => after(input.callID),
    event: async ({ event }) => {
      const properties = event.properties ?? {};
      if (event.type === "session.created" && properties.info?.parentID)
        parents.set(properties.info.id, properties.info.parentID);
      else if (event.type === "message.updated" && properties.info?.role === "assistant")
        models.set(properties.info.sessionID, properties.info.modelID);
      else if (event.type === "message.part.updated" && properties.part?.state?.status === "error")
        await after(properties.part.callID);
      else if (event.type === "session.idle" && !parents.has(properties.sessionID)) {
        const id = properties.sessionID;
        await tell({ ...from(id), event: "turn-end", transcript_path: await saveTranscript(id) });
      }
    },
  };
};
`;
}

/** The extension of Pi. */
export function piExtensionText(agent: string, start: HookStart): string {
  return `${tellText(agent, start)}
export default function (pi) {
  const from = (context) => ({
    cwd: context.cwd,
    session_id: context.sessionManager.getSessionId(),
    transcript_path: context.sessionManager.getSessionFile?.() ?? undefined,
    model: context.model?.id,
  });
  const on = (name, event, more = () => ({})) =>
    pi.on(name, async (said, context) => {
      await tell({ ...from(context), event, ...more(said) });
    });
  const call = (said) => ({ tool_name: said.toolName, tool_use_id: said.toolCallId, tool_input: said.input });

  on("session_start", "session-start", (said) => ({ source: said.reason }));
  on("before_agent_start", "prompt", (said) => ({ prompt: said.prompt }));
  on("tool_call", "before-tool", call);
  on("tool_result", "after-tool", call);
  on("agent_end", "turn-end");
  on("session_shutdown", "session-end");
}
`;
}
