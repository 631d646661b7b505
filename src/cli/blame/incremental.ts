import { incrementalHeaders } from "../../authorship/blame/annotate.ts";
import type { OwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import { type BlameHeader, parseBlameHeader } from "../../authorship/blame/porcelain.ts";
import { cleanText } from "../../base/text/clean-text.ts";
import { readLinesAsync } from "../../base/text/lines.ts";
import { unquotePath } from "../../git/objects/quoted-path.ts";
import type { CliContext } from "../command/context.ts";
import { exactOutput } from "../output/terminal.ts";

/** Longest header line; `--incremental` prints no content. */
const maxHeaderBytes = 1024 * 1024;

/** `--incremental`: git's groups as they come, with the owners before the `filename` line that ends each. */
export async function streamIncremental(
  context: CliContext,
  gitArguments: readonly string[],
  lookup: OwnerLookup,
): Promise<void> {
  const child = context.processes.start("git", ["blame", ...gitArguments], {
    cwd: context.cwd,
    env: context.env,
  });
  child.stdin.end();
  child.stderr
    .setEncoding("utf8")
    .on("data", (piece: string) => context.process.stderr.write(cleanText(piece)));
  let header: BlameHeader | undefined;
  for await (const line of readLinesAsync(child.stdout as AsyncIterable<Buffer>, maxHeaderBytes)) {
    if ("oversized" in line) continue;
    const text = line.bytes.toString("utf8");
    if (text.startsWith("filename ") && header !== undefined) {
      const owners = await groupOwners(header, unquotePath(text.slice("filename ".length)), lookup);
      context.process.stdout.write(incrementalHeaders(header.finalLine, owners));
      header = undefined;
    } else header ??= parseBlameHeader(text);
    const content = Buffer.concat([line.bytes, Buffer.from(line.terminated ? "\n" : "")]);
    await new Promise<void>((resolve) =>
      context.process.stdout.write(exactOutput(context.terminal, content), resolve),
    );
  }
  context.process.exitCode = (await child.exited).code;
}

async function groupOwners(header: BlameHeader, path: string, lookup: OwnerLookup) {
  await lookup.load([header.commit]);
  return Array.from({ length: header.count ?? 1 }, (_, offset) =>
    lookup.ownerOf({ commit: header.commit, path, line: header.originalLine + offset }),
  );
}
