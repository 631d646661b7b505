import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonMap } from "../../src/base/json-document.ts";
import { openTranscriptReader } from "../../src/checkpoints/query/read-transcript.ts";
import { sessionsOf } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { tryLoadStates } from "../../src/checkpoints/stores/stored-state.ts";
import { readSmallObjects } from "../../src/git/objects/small-objects.ts";
import { toolNameOf } from "../../src/transcripts/agent-names.ts";
import { transcriptLines } from "../../src/transcripts/document-lines.ts";
import {
  emptyFacts,
  subtractTokens,
  type TranscriptTokens,
} from "../../src/transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../src/transcripts/scan/transcript-scan.ts";
import { openCheckpointRepository } from "../support/checkpoint-repository.ts";
import {
  hasRealCheckpoints,
  type RealRepository,
  unpackRealCheckpoints,
} from "../support/real-checkpoints.ts";

interface Scanned {
  readonly id: string;
  readonly metadata: JsonMap;
  readonly start: number;
  /** Tokens up to the start of each line, and to the end. */
  readonly tokens: readonly TranscriptTokens[];
  readonly prompts: readonly { readonly line: number; readonly text: string }[];
  readonly stored: string;
}

describe.skipIf(!hasRealCheckpoints)("what we learn from real transcripts of other agents", () => {
  let data: ReturnType<typeof unpackRealCheckpoints>;
  beforeAll(() => {
    data = unpackRealCheckpoints();
  });
  afterAll(() => data.remove());

  async function scanAll(name: RealRepository, agent: string): Promise<Scanned[]> {
    const { git, stores } = openCheckpointRepository(data.path(name));
    const trees = await stores.v1.list();
    const states = await tryLoadStates(
      git,
      new Map([...trees].map(([id, { files }]) => [id, new Map(files)])),
    );
    const reader = openTranscriptReader(git);
    const found: Scanned[] = [];
    for (const [id, tree] of trees) {
      const state = states.get(id);
      for (const files of sessionsOf(tree)) {
        const metadata =
          state !== undefined && "sessions" in state ? state.sessions.get(files.index) : undefined;
        if (
          metadata?.get("agent") !== agent ||
          files.transcript.length === 0 ||
          (await reader.missing(files.transcript)).length > 0
        )
          continue;
        const facts = emptyFacts();
        const tokens = [facts.tokens];
        const pieces: Buffer[] = [];
        for await (const piece of transcriptLines(reader.open(id, files))) pieces.push(piece);
        for (const line of Buffer.concat(pieces).toString("utf8").split("\n")) {
          scanTranscriptLine(toolNameOf(agent), Buffer.from(line), facts);
          tokens.push(facts.tokens);
        }
        const prompt =
          files.prompt === undefined ? undefined : await readSmallObjects(git, [files.prompt], 1e7);
        found.push({
          id,
          metadata,
          start: Number(metadata.get("checkpoint_transcript_start") ?? 0),
          tokens,
          prompts: facts.prompts,
          stored: String(prompt?.get(files.prompt ?? ("" as never)) ?? ""),
        });
      }
    }
    await reader.close();
    return found;
  }

  test("Codex: prompts are those that were stored, tokens reach the stored sums at one line of each transcript", async () => {
    const scanned = await scanAll("skills", "Codex");
    expect(scanned).toHaveLength(37);
    const ways = { counted: 0, cacheInInput: 0, unknown: 0 };
    for (const { id, metadata, start, tokens, prompts, stored } of scanned) {
      for (const prompt of promptsIn(stored))
        expect(
          prompts.map(({ text }) => text),
          id,
        ).toContain(prompt);
      const theirs = usageIn(metadata);
      if (theirs === undefined) {
        ways.unknown += 1;
        continue;
      }
      const ours = added(tokens, start).find(({ cacheRead }) => cacheRead === theirs.cacheRead);
      expect(ours, id).toBeDefined();
      if (ours === undefined) continue;
      // sums are written again when nothing was called: they took each for a call
      expect(ours.calls).toBeLessThanOrEqual(theirs.calls);
      if (ours.input === theirs.input && ours.output === theirs.output) ways.counted += 1;
      // older versions left cached tokens among the input, and added reasoning to an output that holds it
      else if (ours.input + ours.cacheRead === theirs.input && ours.output <= theirs.output)
        ways.cacheInInput += 1;
    }
    expect(ways).toEqual({ counted: 1, cacheInInput: 34, unknown: 2 });
  });

  test("Pi: tokens are the stored ones to the last, and stored prompts are among ours", async () => {
    const scanned = await scanAll("auth-go", "Pi");
    expect(scanned).toHaveLength(7);
    for (const { id, metadata, start, tokens, prompts, stored } of scanned) {
      for (const prompt of promptsIn(stored))
        expect(
          prompts.map(({ text }) => text),
          id,
        ).toContain(prompt);
      expect(added(tokens, start), id).toContainEqual(usageIn(metadata));
    }
  });
});

const promptsIn = (stored: string) =>
  stored === "" ? [] : stored.split("\n\n---\n\n").map((prompt) => prompt.trim());

/** What each later line has added since a checkpoint began. */
function added(tokens: readonly TranscriptTokens[], start: number): TranscriptTokens[] {
  const before = tokens[start];
  return before === undefined ? [] : tokens.slice(start).map((sum) => subtractTokens(sum, before));
}

function usageIn(metadata: JsonMap): TranscriptTokens | undefined {
  const usage = metadata.get("token_usage");
  if (!(usage instanceof Map)) return undefined;
  const count = (name: string) => Number(usage.get(name) ?? 0);
  return {
    input: count("input_tokens"),
    cacheCreation: count("cache_creation_tokens"),
    cacheRead: count("cache_read_tokens"),
    output: count("output_tokens"),
    calls: count("api_call_count"),
  };
}
