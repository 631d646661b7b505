import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { asText, jsonFlag, portFlag, switchFlag, textFlag } from "../command/flags.ts";

export interface WebFlags {
  readonly port?: number;
  readonly socket?: string;
  readonly noOpen?: boolean;
  readonly withoutToken?: boolean;
  readonly json?: boolean;
}

export interface PageExportFlags {
  readonly range?: string;
  readonly json?: boolean;
}

const openCommand = buildCommand<WebFlags, [], CliContext>({
  loader: async () => (await import("./web.ts")).web,
  parameters: {
    flags: {
      port: portFlag("Port on 127.0.0.1 (default: a free one)"),
      socket: textFlag("Listen on a unix socket instead, for your user only", "path"),
      noOpen: switchFlag("Do not open a browser; print the address"),
      withoutToken: switchFlag("Let every user of this machine read the page"),
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Open the page of this repository in a browser: timeline, conversations, owners, races",
    fullDescription:
      "Serves a local page until it is interrupted: on loopback, with a token in the address, and nothing loaded from\n" +
      "elsewhere. It only reads.\n\nExample:\n  keyframe web\n  keyframe web --no-open --port 7071",
  },
});

const exportCommand = buildCommand<PageExportFlags, [string], CliContext>({
  loader: async () => (await import("./export.ts")).exportSite,
  parameters: {
    flags: { range: textFlag("Commits to write (default: the newest 50 of HEAD)", "range"), json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "Directory to write; must not exist", parse: asText, placeholder: "directory" }],
    },
  },
  docs: {
    brief: "Write the page of some commits as files, for a CI artifact",
    fullDescription:
      "The page opens from the files alone, without a server.\n\nExample:\n  keyframe web export site --range main..HEAD",
  },
});

export const webRoutes = buildRouteMap<string, CliContext>({
  routes: { open: openCommand, export: exportCommand },
  defaultCommand: "open",
  docs: { brief: "A local page: timeline, conversations, owners, races; or the same as files" },
});
