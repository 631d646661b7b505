import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import { createFakeRandom } from "../../src/system/random.ts";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";
import { hasRealCheckpoints } from "../../test/support/real-checkpoints.ts";
import { isReadable, plantSecrets } from "../../test/support/secret-corpus.ts";
import type { BenchResult } from "../bench-result.ts";
import { realTexts } from "../support/real-texts.ts";

/**
 * How many of generated secrets are found (the worst kind counts), and how many hits there are where nobody planted any:
 * an upper bound of false ones, since examples of secrets in documentation count too. A line counts once: a transcript that
 * grows is stored again in each checkpoint of other tools.
 */
export async function run({ tiny }: { tiny: boolean }): Promise<BenchResult[]> {
  const found = recall(tiny ? 3 : 300);
  const source = hitsIn(sourceTexts(tiny ? 1_000_000 : 100_000_000));
  const real = hasRealCheckpoints ? hitsIn(realTexts(tiny ? 1_000_000 : 100_000_000)) : undefined;
  return [
    {
      name: `found of ${found.planted} secrets, worst kind (${found.kind})`,
      value: found.worst * 100,
      unit: "%",
      resultHash: found.hash,
    },
    {
      name: `hits per 10,000 lines of source (${source.lines} different lines)`,
      value: source.perTenThousand,
      resultHash: source.hash,
      unit: "hits",
    },
    ...(real === undefined
      ? []
      : [
          {
            name: `hits per 10,000 lines of real transcripts (${real.lines} different lines)`,
            value: real.perTenThousand,
            resultHash: real.hash,
            unit: "hits",
          },
          {
            name: "hits per 10,000 lines of both",
            value: ((source.hits + real.hits) / Math.max(1, source.lines + real.lines)) * 10_000,
            resultHash: sha256Hex(source.hash + real.hash).slice(0, 16),
            unit: "hits",
          },
        ]),
  ];
}

function recall(rounds: number) {
  const redactor = createRedactor();
  const kinds = new Map<string, { planted: number; found: number }>();
  const outcomes: string[] = [];
  for (const { kind, secret, line } of plantSecrets(createFakeRandom(11), rounds)) {
    const isFound = !isReadable(secret, redactor.redactLines(Buffer.from(line)).toString());
    const count = kinds.get(kind) ?? { planted: 0, found: 0 };
    kinds.set(kind, { planted: count.planted + 1, found: count.found + (isFound ? 1 : 0) });
    outcomes.push(isFound ? "1" : "0");
  }
  const rates = [...kinds].map(([kind, { planted, found }]) => ({ kind, rate: found / planted }));
  const worst = rates.reduce((low, each) => (each.rate < low.rate ? each : low));
  return {
    planted: outcomes.length,
    kind: worst.kind,
    worst: worst.rate,
    hash: sha256Hex(outcomes.join("")).slice(0, 16),
  };
}

function hitsIn(texts: Iterable<Buffer>): {
  readonly lines: number;
  readonly hits: number;
  readonly perTenThousand: number;
  readonly hash: string;
} {
  const redactor = createRedactor();
  const seen = new Set<string>();
  for (const text of texts) {
    const fresh = text
      .toString("latin1")
      .split("\n")
      .filter((line) => {
        const digest = sha256Hex(line);
        return !seen.has(digest) && seen.add(digest).size > 0;
      });
    redactor.redactLines(Buffer.from(fresh.join("\n"), "latin1"));
  }
  const lines = seen.size;
  const hits = [...redactor.counts.values()].reduce((sum, count) => sum + count, 0);
  const hash = sha256Hex(JSON.stringify([...redactor.counts])).slice(0, 16);
  return { lines, hits, perTenThousand: (hits / Math.max(1, lines)) * 10_000, hash };
}

/** Text files of the packages that this project is built with. */
function* sourceTexts(maxBytes: number): Generator<Buffer> {
  let bytes = 0;
  const root = join(import.meta.dirname, "../../node_modules");
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    if (bytes > maxBytes) return;
    if (!/\.(?:[cm]?[jt]s|md|json|ya?ml|html)$/.test(path) || path.includes(".min.")) continue;
    const stat = statSync(join(root, path));
    if (!stat.isFile() || stat.size > 400_000) continue;
    bytes += stat.size;
    yield readFileSync(join(root, path));
  }
}
