import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface SessionFlags {
  readonly json?: boolean;
}

export interface AttachFlags extends SessionFlags {
  readonly agent?: string;
  readonly transcript?: string;
}

const json = { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" } as const;
const id = (brief: string) =>
  ({ kind: "tuple", parameters: [{ brief, parse: String, placeholder: "session" }] }) as const;
const text = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder }) as const;

const listCommand = buildCommand<SessionFlags, [], CliContext>({
  loader: async () => (await import("./list.ts")).listSessions,
  parameters: { flags: { json } },
  docs: {
    brief: "List the sessions of this repository, the latest first",
    fullDescription:
      "Lists every session with its phase and what waits for a commit.\n\nExample:\n  keyframe session list --json",
  },
});

const showCommand = buildCommand<SessionFlags, [string], CliContext>({
  loader: async () => (await import("./list.ts")).showSession,
  parameters: { flags: { json }, positional: id("Id of the session, or its beginning") },
  docs: {
    brief: "Show one session: its phase, its prompts and what waits for a commit",
    fullDescription:
      "The beginning of an id is enough where it is the only one.\n\nExample:\n  keyframe session show 6f7c",
  },
});

const attachCommand = buildCommand<AttachFlags, [string], CliContext>({
  loader: async () => (await import("./attach.ts")).attachSession,
  parameters: {
    flags: {
      agent: text("The agent (default: claude, or what the session's state says)", "name"),
      transcript: text("Its transcript, where it is not in the agent's usual place", "path"),
      json,
    },
    positional: id("Id of the session"),
  },
  docs: {
    brief: "Adopt a session whose hooks were missing, or one that another tool records",
    fullDescription:
      "Reads the conversation, and links it to commits of the files that it says it edited.\n\nExample:\n  keyframe session attach 6f7c0e1a-1b2c-4d3e-8f90-a1b2c3d4e5f6",
  },
});

const stopCommand = buildCommand<SessionFlags, [string], CliContext>({
  loader: async () => (await import("./stop.ts")).stopSession,
  parameters: { flags: { json }, positional: id("Id of the session, or its beginning") },
  docs: {
    brief: "Mark a session as ended",
    fullDescription:
      "Work of it that is not committed stays linked to it.\n\nExample:\n  keyframe session stop 6f7c",
  },
});

export const sessionCommand = buildRouteMap<string, CliContext>({
  routes: { list: listCommand, show: showCommand, attach: attachCommand, stop: stopCommand },
  aliases: { ls: "list", info: "show" },
  docs: { brief: "Sessions: list, show, adopt and stop them" },
});
