import { agentLabel, humanName } from "../../authorship/note/owner-label.ts";
import { ChangeIndex } from "../../authorship/stats/changes/change-index.ts";
import { countCommits } from "../../authorship/stats/commit-counts.ts";
import { agentTotals } from "../../authorship/stats/groups.ts";
import { compileIgnoredFiles } from "../../authorship/stats/ignored-files.ts";
import type { Tally } from "../../authorship/stats/tally.ts";
import type { JsonObject } from "../../base/json.ts";
import { cleanJson, cleanText } from "../../base/text/clean-text.ts";
import { openGit } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { type ObjectReader, openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { openPagedOutput } from "../command/pager.ts";
import type { RawCommand } from "../command/raw-command.ts";
import { settleFirst } from "../command/settle-first.ts";
import { ownerBar } from "../output/owner-bar.ts";
import { printable, type Terminal } from "../output/terminal.ts";
import { readLogArguments } from "./log-arguments.ts";
import { type LogPiece, readLogPieces } from "./log-stream.ts";

/** Commits counted together: the first screen comes soon, the rest cheaply. */
const firstBatchCommits = 10;
const batchCommits = 100;
const barCells = 16;

/** `keyframe log`: git's own log with the owners of each commit's lines. */
export const log: RawCommand = async (context, args) => {
  await settleFirst(context);
  const git = openGit(mustFindRepository(context.cwd, context), context.processes, context.env);
  const wanted = readLogArguments(args, await readDefaults(context));
  const colour = context.terminal.style("red", "x") !== "x" && !wanted.json;
  const reader = openObjectReader(git);
  const isIgnored = compileIgnoredFiles({
    gitAttributes: await readText(reader, "HEAD:.gitattributes"),
    ignoreFile: await readText(reader, "HEAD:.git-ai-ignore"),
    patterns: [],
  });
  const output = await openPagedOutput(context, "log");
  const render = wanted.json ? createJsonRenderer() : createTextRenderer(context.terminal);
  let pieces: LogPiece[] = [];
  let commits = 0;
  let limit = firstBatchCommits;
  let index: ChangeIndex | undefined;
  let wantsMore = true;

  async function flush(): Promise<void> {
    const ids = await resolveIds(reader, pieces);
    if (commits >= firstBatchCommits) index ??= ChangeIndex.open(git.repository, context.files);
    const sources = { git, reader, files: context.files, index };
    const tallies = await countCommits(sources, { commits: [...new Set(ids.values())], isIgnored });
    const rendered = render.batch(pieces, (id) => ({
      commit: ids.get(id),
      tally: tallies.get(ids.get(id) ?? ("" as Oid)),
    }));
    wantsMore = await output.write(rendered);
    pieces = [];
    commits = 0;
    limit = batchCommits;
  }

  // started last: output that nobody reads when a process ends is lost
  const child = context.processes.start(
    "git",
    ["-c", `color.ui=${colour ? "always" : "never"}`, "log", ...wanted.gitArguments],
    { cwd: context.cwd, env: context.env },
  );
  child.stdin.end();
  child.stderr
    .setEncoding("utf8")
    .on("data", (piece: string) => context.process.stderr.write(cleanText(piece)));
  try {
    for await (const piece of readLogPieces(child.stdout as AsyncIterable<Buffer>, wanted.mode)) {
      pieces.push(piece);
      if ("commit" in piece) commits += 1;
      if (commits >= limit) await flush();
      if (!wantsMore) break;
    }
    if (!wantsMore) child.kill();
    else {
      await flush();
      const { code } = await child.exited;
      context.process.exitCode = code;
      if (code === 0) await output.write(render.end());
    }
    await output.close();
  } finally {
    child.kill();
    await reader.close();
  }
};

async function readDefaults(context: CliContext) {
  const { stdout } = await context.processes.run(
    "git",
    ["config", "-z", "--get-regexp", String.raw`^(format\.pretty|log\.decorate|pretty\..*)$`],
    {
      cwd: context.cwd,
      env: context.env,
    },
  );
  const settings = new Map(
    stdout
      .toString("utf8")
      .split("\0")
      .map((entry) => [entry.slice(0, entry.indexOf("\n")), entry.slice(entry.indexOf("\n") + 1)] as const),
  );
  const named = [...settings].flatMap(([name, value]) =>
    name.startsWith("pretty.") ? [[name.slice("pretty.".length).toLowerCase(), value] as const] : [],
  );
  const decorate = settings.get("log.decorate") ?? "auto";
  const decorates =
    decorate === "auto" ? context.terminal.isInteractive : !/^(no|false|off|0)$/.test(decorate);
  return { pretty: settings.get("format.pretty"), named: new Map(named), decorates };
}

async function readText(reader: ObjectReader, name: string): Promise<string | undefined> {
  const object = await reader.read(name);
  return object?.type === "blob" ? object.content.toString("utf8") : undefined;
}

/** Full ids of the commits of a batch, by the id that was printed. */
async function resolveIds(reader: ObjectReader, pieces: readonly LogPiece[]): Promise<Map<string, Oid>> {
  const found = await Promise.all(
    pieces.map(async (piece): Promise<[string, Oid] | undefined> => {
      if (!("commit" in piece)) return undefined;
      const oid = isOid(piece.commit) ? piece.commit : (await reader.read(`${piece.commit}^{commit}`))?.oid;
      return oid === undefined ? undefined : [piece.commit, oid];
    }),
  );
  return new Map(found.filter((entry) => entry !== undefined));
}

interface Counted {
  readonly commit: Oid | undefined;
  readonly tally: Tally | undefined;
}

interface Renderer {
  batch(pieces: readonly LogPiece[], countedOf: (id: string) => Counted): Buffer;
  end(): string;
}

function createTextRenderer(terminal: Terminal): Renderer {
  return {
    batch: (pieces, countedOf) =>
      Buffer.concat(
        pieces.map((piece) => {
          if ("text" in piece) return piece.text;
          const { tally } = countedOf(piece.commit);
          if (tally === undefined || tally.total.added === 0) return Buffer.alloc(0);
          const owners = `${ownerBar(terminal, tally.total, barCells)}  ${ownersText(terminal, tally)}`;
          return Buffer.from(piece.place === "line" ? `  ${owners}` : `${piece.prefix}Owners: ${owners}\n`);
        }),
      ),
    end: () => "",
  };
}

/** `claude/sonnet-4-5 12 · Zoë Lind 3 · unknown 4` */
function ownersText(terminal: Terminal, tally: Tally): string {
  const agents = agentTotals(tally.sessions).map(
    (agent) => `${terminal.style("magenta", printable(agentLabel(agent)))} ${agent.added}`,
  );
  const humans = [...tally.humans].map(
    ([identity, count]) => `${terminal.style("green", printable(humanName(identity)))} ${count}`,
  );
  const unknown = tally.total.unknown > 0 ? [terminal.style("gray", `unknown ${tally.total.unknown}`)] : [];
  return [...agents, ...humans, ...unknown].join(" · ");
}

/** One array of objects, one commit a line. */
function createJsonRenderer(): Renderer {
  let count = 0;
  return {
    batch(pieces, countedOf) {
      const lines = pieces.flatMap((piece) => {
        const counted = "commit" in piece ? countedOf(piece.commit) : undefined;
        if (counted?.commit === undefined) return [];
        count += 1;
        return [
          `${count === 1 ? "[" : ","}\n${cleanJson(JSON.stringify(commitJson(counted.commit, counted.tally)))}`,
        ];
      });
      return Buffer.from(lines.join(""));
    },
    end: () => (count === 0 ? "[]\n" : "\n]\n"),
  };
}

function commitJson(commit: Oid, tally: Tally | undefined): JsonObject {
  return {
    commit,
    git_diff_added_lines: tally?.total.added ?? 0,
    ai_additions: tally?.total.agents ?? 0,
    human_additions: tally?.total.humans ?? 0,
    unknown_additions: tally?.total.unknown ?? 0,
    sessions: (tally?.sessions ?? []).map(
      ({ session, tool, model, conversation, added }): JsonObject => ({
        session,
        tool,
        model,
        conversation,
        ai_additions: added,
      }),
    ),
    humans: Object.fromEntries(tally?.humans ?? []),
  };
}
