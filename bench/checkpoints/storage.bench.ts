import { sha256Hex } from "../../src/base/digest.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import { cutTranscript } from "../../src/transcripts/chunks.ts";
import { makeCheckpointRepository } from "../../test/support/checkpoint-repository.ts";
import { checkpointWrite, generatedId, generateTranscript } from "../../test/support/generate-checkpoints.ts";
import type { BenchResult } from "../bench-result.ts";

/** Bytes on disk, as written and not yet repacked, for a session that grows over 50 checkpoints. */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const checkpoints = tiny ? 4 : 50;
  const turns = tiny ? 10 : 50;
  const final = generateTranscript(1, checkpoints * turns);
  const lines = final.toString().split("\n");
  const version = (n: number) => Buffer.from(`${lines.slice(0, (n + 1) * turns * 4).join("\n")}\n`);
  const measure = async (cut: boolean) => {
    const repository = makeCheckpointRepository();
    try {
      for (let n = 0; n < checkpoints; n += 1) {
        const chunks: Buffer[] = [];
        if (cut) for await (const { bytes } of cutTranscript(one(version(n)))) chunks.push(bytes);
        const transcript = cut ? chunks : version(n);
        const session = { sessionId: "growing", createdAt: "2026-01-01T00:00:00Z", transcript };
        await repository.stores.v1.write([checkpointWrite(generatedId(n), [session])], {
          message: commitMessage("v1", "checkpoint"),
          nowSeconds: 1_770_000_000,
        });
      }
      return {
        bytes: diskBytes(repository.sh("count-objects", "-v")),
        tree: repository.sh("rev-parse", "entire/checkpoints/v1^{tree}"),
      };
    } finally {
      repository.remove();
    }
  };
  const ours = await measure(true);
  const whole = await measure(false);
  const row = (name: string, { bytes, tree }: typeof ours): BenchResult => ({
    name: `${name}, session of ${checkpoints} checkpoints`,
    value: bytes,
    unit: "bytes",
    floor: final.length,
    ratio: bytes / final.length,
    resultHash: sha256Hex(tree).slice(0, 16),
  });
  return [row("stored in chunks", ours), row("stored whole each time", whole)];
}

async function* one(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

function diskBytes(counts: string): number {
  const kib = (key: string) => Number(new RegExp(`^${key}: (\\d+)`, "m").exec(counts)?.[1] ?? 0);
  return (kib("size") + kib("size-pack")) * 1024;
}
