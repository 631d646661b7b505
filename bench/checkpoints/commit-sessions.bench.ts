import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sessionKey } from "../../src/authorship/note/keys.ts";
import { sha256Hex } from "../../src/base/digest.ts";
import { emptyCapture, redactedPath, writeCapture } from "../../src/checkpoints/capture/record.ts";
import { turnRefPrefix } from "../../src/checkpoints/capture/turn-snapshots.ts";
import { updateSessionState } from "../../src/checkpoints/sessions/directory.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { startAgentSession } from "../../test/support/agent-session.ts";
import { checkpointWrite, generatedId, generateTranscript } from "../../test/support/generate-checkpoints.ts";
import { createTestRepository, type TestRepository } from "../../test/support/test-repository.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { median } from "../measure.ts";

/**
 * `git commit` of one line of a session's work (all hooks, the checkpoint stored) in repositories with 0, 100 and 500
 * finished sessions (state, transcript, snapshot and checkpoint of each), in turn with `git commit` without hooks.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const rounds = tiny ? 1 : 15;
  const counts = tiny ? [0, 3] : [0, 100, 500];
  const bare = createTestRepository();
  const places = await Promise.all(
    counts.map(async (count) => ({ count, repository: await withSessions(count) })),
  );
  try {
    bare.write("f", "start\n");
    bare.commit("start");
    const times = new Map<TestRepository, number[]>(
      [bare, ...places.map(({ repository }) => repository)].map((r) => [r, []]),
    );
    const sessions = places.map(({ repository }) => startAgentSession(repository, "at-work"));
    for (let round = 0; round < rounds + 1; round += 1) {
      bare.write("f", `line ${round}\n`);
      for (const session of sessions) {
        await session.prompt(`round ${round}`);
        await session.write("f", `line ${round}\n`);
        session.say("done");
        await session.stop();
      }
      for (const [repository, measured] of times) {
        repository.git("add", "f");
        const start = performance.now();
        repository.gitBytes(["commit", "-q", "-m", `round ${round}`]);
        // the first round warms caches
        if (round > 0) measured.push(performance.now() - start);
      }
    }
    const linked = places.map(
      ({ repository }) =>
        repository
          .git("log", "--format=%(trailers:key=Entire-Checkpoint,valueonly)")
          .split("\n")
          .filter(Boolean).length,
    );
    const resultHash = sha256Hex(JSON.stringify(linked)).slice(0, 16);
    const floor = median(times.get(bare) ?? []);
    const first = median(times.get(places[0]?.repository ?? bare) ?? []);
    return places.map(({ count, repository }) => {
      const value = median(times.get(repository) ?? []);
      return count === 0
        ? {
            name: "git commit of a session's work, against no hooks",
            value,
            unit: "ms",
            floor,
            ratio: value / floor,
            resultHash,
          }
        : {
            name: `the same with ${count} finished sessions, against none`,
            value,
            unit: "ms",
            floor: first,
            ratio: value / first,
            resultHash,
          };
    });
  } finally {
    bare.remove();
    for (const { repository } of places) repository.remove();
  }
}

async function withSessions(count: number): Promise<TestRepository> {
  const repository = createTestRepository();
  repository.write("f", "start\n");
  const head = repository.commit("start");
  repository.keyframe(["enable"]);
  const place = mustFindRepository(repository.folder, nodeMachine);
  const git = openGit(place, nodeMachine.processes, repository.env);
  const transcript = generateTranscript(1, 40);
  const writes = Array.from({ length: count }, (_, index) => {
    const agent = { tool: "claude", id: `finished-${index}`, model: "m" };
    updateSessionState(nodeMachine, { repository: place, id: agent.id }, () => {
      return new Map<string, string | number>([
        ["session_id", agent.id],
        ["base_commit", head],
        ["worktree_path", repository.folder],
        ["phase", "ended"],
        ["checkpoint_count", 0],
        ["agent_type", "Claude Code"],
      ]);
    });
    const record = { ...emptyCapture(agent, `/nowhere/${index}.jsonl`), redactedBytes: transcript.length };
    writeCapture(place, nodeMachine.files, record);
    writeFileSync(redactedPath(place, record), transcript);
    const session = { sessionId: agent.id, createdAt: "2026-01-01T00:00:00Z", transcript };
    return checkpointWrite(generatedId(index), [session]);
  });
  if (count > 0) {
    await openCheckpointStores(git).v1.write(writes, {
      message: commitMessage("v1", "checkpoint"),
      nowSeconds: 1_770_000_000,
    });
    const refs = writes.map(
      (_, index) =>
        `create ${turnRefPrefix}${sessionKey({ tool: "claude", id: `finished-${index}` })} ${head}\n`,
    );
    execFileSync("git", ["update-ref", "--stdin"], { cwd: join(repository.folder), input: refs.join("") });
  }
  return repository;
}
