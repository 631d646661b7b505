import { join, resolve } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { answers } from "../../server/page/answers.ts";
import { readPageAssets } from "../../server/page/assets.ts";
import { encodeAnswer } from "../../server/page/encode-answer.ts";
import type { Moment } from "../../timeline/moment.ts";
import { listMoments } from "../../timeline/moments/list-moments.ts";
import type { AskContext } from "../../workflows/ask/ask-context.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { pageDirectory } from "./web.ts";
import type { PageExportFlags } from "./web-command.ts";

const defaultCommits = 50;
const mostCommits = 2000;

/** `keyframe web export <directory>`: each answer that the page would ask for as a script that hands it over. */
export async function exportSite(
  this: CliContext,
  { range, json }: PageExportFlags,
  directory: string,
): Promise<void> {
  const target = resolve(this.cwd, directory);
  if (this.files.statIfExists(target) !== undefined) {
    throw new KeyframeError("refused", `${directory} exists already`, {
      hint: "name a directory that does not exist",
    });
  }
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const context: AskContext = { git, stores, files: this.files };
  const assets = readPageAssets(this.files, pageDirectory(this));
  const commits = await commitsOf(context, range);
  this.files.makeFolder(join(target, "data"));
  for (const [name, content] of assets) {
    // browsers start no worker from a file
    if (/^(?:worker|grammar)-/.test(name)) continue;
    const text = name === "index.html" ? asStatic(content) : content;
    this.files.replaceWithoutSync(join(target, name), text);
  }
  let written = 0;
  const write = (question: string, answer: object) => {
    written += 1;
    const call = `keyframeAnswer(${JSON.stringify(question)}, ${encodeForScript(answer)});\n`;
    this.files.replaceWithoutSync(
      join(target, "data", `${encodeURIComponent(question).replaceAll("%", "_")}.js`),
      Buffer.from(call),
    );
  };
  write("timeline", {
    moments: commits.map((moment) => ({ ...moment, changedFiles: null })),
    limit: commits.length,
  });
  for (const { commit, checkpoints } of commits) {
    write(`diff/${commit}`, (await answers["diff"]?.(context, commit, new URLSearchParams())) ?? {});
    for (const id of checkpoints) await writeCheckpoint(context, id, write);
  }
  if (json) this.terminal.json({ directory: target, commits: commits.length, answers: written });
  else this.terminal.out(`wrote ${commits.length} commits to ${join(directory, "index.html")}`);
}

async function commitsOf({ git, files }: AskContext, range: string | undefined): Promise<Moment[]> {
  const moments = (await listMoments(git, files, { all: false })).filter(({ kind }) => kind === "commit");
  if (range === undefined) return moments.slice(0, defaultCommits);
  if (range.startsWith("-")) throw new KeyframeError("usage", `not a range: ${range}`);
  const listed = new Set(
    (await git.text(["rev-list", `--max-count=${mostCommits}`, range, "--"])).split("\n"),
  );
  return moments.filter(({ commit }) => listed.has(commit));
}

async function writeCheckpoint(
  context: AskContext,
  id: string,
  write: (question: string, answer: object) => void,
): Promise<void> {
  try {
    write(
      `checkpoint/${id}`,
      (await answers["checkpoint"]?.(context, id, new URLSearchParams({ count: "5000" }))) ?? {},
    );
  } catch (error) {
    // its record may be on another machine: the page then says that it is not here
    write(`checkpoint/${id}`, { error: { message: error instanceof Error ? error.message : String(error) } });
  }
}

/** JSON that is a script too: no tag can end it, no line separator can break it. */
function encodeForScript(value: object): string {
  return encodeAnswer(value).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function asStatic(index: Buffer): Buffer {
  return Buffer.from(
    index.toString("utf8").replace("<html", '<html data-static="1"').replaceAll('="/', '="./'),
  );
}
