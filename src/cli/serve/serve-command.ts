import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, jsonFlag, switchFlag, textFlag, textsFlag } from "../command/flags.ts";
import type { ServeFlags } from "./serve.ts";

/** `keyframe serve`. */
export const serveCommand = buildCommand<ServeFlags, [], CliContext>({
  loader: async () => (await import("./serve.ts")).serve,
  parameters: {
    flags: {
      port: countFlag("TCP port; 0 takes a free one (default: 7070)"),
      host: textFlag("Address to listen on (default: 127.0.0.1)", "address"),
      socket: textFlag("Unix socket to listen on instead", "path"),
      store: textsFlag(
        "A store that snapshots may be sent to and fetched from, under this name",
        "name=location",
      ),
      requireToken: switchFlag("Ask for the token on a unix socket too"),
      withoutToken: switchFlag("Let every user of this machine ask, on a loopback port"),
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Serve sandboxes over HTTP",
    fullDescription:
      "Serves sandboxes, snapshots and images over HTTP (docs/api.md), also to the E2B package, until it is interrupted. KEYFRAME_TOKEN is the token that requests to a port must have; without it one is made and kept in the sandboxes' home.\n\nExamples:\n  keyframe serve\n  keyframe serve --socket ~/keyframe.sock\n  E2B_API_KEY=$(cat ~/.local/share/keyframe/api-token) E2B_API_URL=http://127.0.0.1:7070 E2B_SANDBOX_URL=http://127.0.0.1:7070 node agent.mjs",
  },
});
