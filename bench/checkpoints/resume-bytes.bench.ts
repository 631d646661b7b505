import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import type { CheckpointId } from "../../src/checkpoints/record/ids.ts";
import { checkpointPatterns, fetchCheckpointTips } from "../../src/checkpoints/remote/fetch/fetch-tips.ts";
import { withFetched } from "../../src/checkpoints/remote/fetch/fetched-stores.ts";
import type { PushContext } from "../../src/checkpoints/remote/push/push-checkpoints.ts";
import { gatherSessions } from "../../src/checkpoints/resume/gather-sessions.ts";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../src/git/git.ts";
import { resolveRemote } from "../../src/git/remote/remote.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { createFakeRandom } from "../../src/system/random.ts";
import { noTrace } from "../../src/system/trace.ts";
import { type GitServer, startGitServer } from "../../test/support/git-server.ts";
import { sharedDataPath } from "../../test/support/shared-data.ts";
import { idOf, smallCheckpoint, writeOptions } from "../../test/support/small-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";

const refspecs = ["+refs/heads/entire/*:refs/full/heads/*", "+refs/entire/*:refs/full/entire/*"];

/**
 * Bytes that a server sends to a clone without checkpoints when one of them is resumed (trees, metadata, one
 * conversation), against a full fetch of the checkpoint refs. On generated checkpoints, and on real ones where they lie
 * beside the project; of those the ones whose repository is complete can be fetched in full.
 */
export async function run(options: { readonly tiny: boolean }): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "kf-bench-"));
  const served = join(folder, "served");
  mkdirSync(served);
  const archive = options.tiny ? undefined : sharedDataPath("checkpoints-real.tar.gz");
  if (archive !== undefined) execFileSync("tar", ["xzf", archive, "-C", served]);
  await generate(join(served, "generated.git"), options.tiny ? 10 : 500);
  const server = await startGitServer("http", served);
  try {
    const results: BenchResult[] = [];
    const real = archive === undefined ? [] : ["skills", "auth-go", "roger-roger", "herdr-trails"];
    for (const name of ["generated", ...real]) {
      git(join(served, `${name}.git`), "config", "uploadpack.allowFilter", "true");
      const measured = await measure(server, join(folder, name), `${server.url}/${name}.git`);
      const { sent, full, hash } = measured;
      results.push({
        name: `resume of one checkpoint of ${measured.count} from a fresh clone, ${name}`,
        value: sent,
        unit: "bytes received",
        ...(full === undefined ? {} : { floor: full, ratio: sent / full }),
        resultHash: hash,
      });
    }
    return results;
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(server: GitServer, folder: string, url: string) {
  const scout = openClient(join(folder, "scout"));
  const remote = await resolveRemote(scout.git, url);
  await fetchCheckpointTips(scout, remote, checkpointPatterns());
  const stores = withFetched(openCheckpointStores(scout.git), scout.git, nodeFiles);
  const ids = [...new Set([...(await stores.refs.list()).keys(), ...(await stores.v1.list()).keys()])].sort();
  const chosen = await firstWhole(scout, url, ids.slice(ids.length >> 1));
  await server.takeTraffic();
  const { sessions } = await gatherSessions(openClient(join(folder, "one")), remote, [chosen]);
  const { sent } = await server.takeTraffic();
  const whole = join(folder, "whole");
  mkdirSync(whole, { recursive: true });
  git(whole, "init", "-q");
  const fetched = spawnSync("git", ["fetch", "-q", url, ...refspecs], { cwd: whole });
  const traffic = await server.takeTraffic();
  const hash = sha256Hex(sessions.flatMap(({ files }) => files.transcript).join(" ")).slice(0, 16);
  return { count: ids.length, sent, full: fetched.status === 0 ? traffic.sent : undefined, hash };
}

/** Some transcripts are absent from the real data on purpose. */
async function firstWhole(
  context: PushContext,
  url: string,
  ids: readonly CheckpointId[],
): Promise<CheckpointId> {
  const remote = await resolveRemote(context.git, url);
  for (const id of ids) {
    try {
      const { sessions } = await gatherSessions(context, remote, [id]);
      if (sessions.some(({ files }) => files.transcript.length > 0)) return id;
    } catch {
      // the next one then
    }
  }
  throw new Error(`no checkpoint of ${url} is whole`);
}

function openClient(folder: string): PushContext {
  mkdirSync(folder, { recursive: true });
  git(folder, "init", "-q");
  return {
    git: openGit(mustFindRepository(folder, nodeMachine), nodeProcesses),
    files: nodeFiles,
    processTable: nodeProcessTable,
    trace: noTrace,
    clock: nodeClock,
    note: () => undefined,
    nowSeconds: 1_770_000_000,
  };
}

async function generate(folder: string, count: number): Promise<void> {
  mkdirSync(folder);
  git(folder, "init", "-q", "--bare");
  const bare = openGit(mustFindRepository(folder, nodeMachine), nodeProcesses);
  await openCheckpointStores(bare).v1.write(
    Array.from({ length: count }, (_, number) =>
      smallCheckpoint(idOf(number * 7919), {
        sessionId: `s-${number}`,
        transcript: [incompressible(number)],
      }),
    ),
    writeOptions,
  );
}

/** 60 KB in lines, the same for the same number. */
function incompressible(number: number): string {
  const random = createFakeRandom(number + 1);
  const line = () => `${JSON.stringify({ content: random.bytes(660).toString("base64") })}\n`;
  return Array.from({ length: 66 }, line).join("");
}

function git(cwd: string, ...args: string[]): void {
  execFileSync("git", args, { cwd, stdio: "pipe" });
}
