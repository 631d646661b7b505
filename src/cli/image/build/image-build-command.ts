import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../command/context.ts";
import { asText, jsonFlag, textArgument, textFlag } from "../../command/flags.ts";
import type { ImageBuildFlags } from "./image-build.ts";

/** `keyframe image build`. */
export const imageBuildCommand = buildCommand<ImageBuildFlags, [string], CliContext>({
  loader: async () => (await import("./image-build.ts")).imageBuild,
  parameters: {
    flags: {
      from: textFlag(
        "debian:<suite>, a directory, a tar file or an OCI image layout (default: debian:bookworm)",
        "source",
      ),
      include: {
        kind: "parsed",
        parse: asText,
        optional: true,
        variadic: ",",
        brief: "Debian packages beside the minimal system",
        placeholder: "packages",
      },
      agent: {
        kind: "parsed",
        parse: asText,
        optional: true,
        variadic: ",",
        brief:
          "Agents whose programs the image holds, and git beside them: claude, codex; each with @version or its newest",
        placeholder: "agents",
      },
      json: jsonFlag,
    },
    positional: { kind: "tuple", parameters: [textArgument("Name of the image", "name")] },
  },
  docs: {
    brief: "Make a disk image that sandboxes start from",
    fullDescription:
      "Makes an ext4 disk image from a Debian release, a directory, a tar file or an OCI image layout, without root.\n\nExample:\n  keyframe image build dev --from debian:bookworm --include git,python3\n  keyframe image build agents --agent claude,codex",
  },
});
