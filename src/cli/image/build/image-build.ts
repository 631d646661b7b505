import { parseObjectName } from "../../../sandbox/ids.ts";
import { buildImage } from "../../../sandbox/image/build.ts";
import { parseRootfsSource } from "../../../sandbox/image/source.ts";
import { machineFacts } from "../../../system/machine/machine-facts.ts";
import { agentLayers, parseAgentVersion } from "../../../workflows/run/agent-layers.ts";
import type { CliContext } from "../../command/context.ts";
import { resolvePath, sandboxContextOf } from "../../sandbox/context.ts";

export interface ImageBuildFlags {
  readonly from?: string;
  readonly include?: readonly string[];
  readonly agent?: readonly string[];
  readonly json?: boolean;
}

/** Makes a disk image that sandboxes start from. */
export async function imageBuild(this: CliContext, flags: ImageBuildFlags, name: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const sourceText = flags.from ?? "debian:bookworm";
  const source = parseRootfsSource(this.files, sourceText, (path) => resolvePath(this, path));
  const agents = (flags.agent ?? []).map(parseAgentVersion);
  const overlays = await agentLayers(sandboxContext, this.env, {
    agents,
    progress: (text) => this.terminal.note(text),
  });
  // an agent without git is of little use; another source than Debian brings its own
  const packages = [
    ...(flags.include ?? []),
    ...(agents.length > 0 && source.kind === "debian" ? ["git"] : []),
  ];
  const image = await buildImage(sandboxContext, {
    name: parseObjectName(name),
    source,
    sourceText,
    packages: [...new Set(packages)],
    overlays,
    isRoot: machineFacts.isRoot,
    progress: (text) => this.terminal.note(text),
  });
  if (flags.json)
    this.terminal.json({
      name: image.name,
      layer: image.layer,
      source: image.source,
      packages: image.packages,
    });
  else this.terminal.out(image.name);
}
