import { expect, test } from "vitest";
import { createFakeRandom } from "../../src/system/random.ts";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";
import { isReadable, plantSecrets } from "../support/secret-corpus.ts";

const rounds = Number(process.env["KEYFRAME_SECRET_ROUNDS"] ?? 60);

test("of generated secrets, at least 99.9 % of every kind in every place are found", () => {
  const redactor = createRedactor();
  const planted = new Map<string, number>();
  const missed = new Map<string, string[]>();
  for (const { kind, place, secret, line } of plantSecrets(createFakeRandom(7), rounds)) {
    planted.set(kind, (planted.get(kind) ?? 0) + 1);
    const redacted = redactor.redactLines(Buffer.from(line)).toString();
    expect(() => JSON.parse(redacted)).not.toThrow();
    if (isReadable(secret, redacted)) missed.set(kind, [...(missed.get(kind) ?? []), `${place}: ${line}`]);
  }
  const tooMany = [...missed].filter(([kind, lines]) => lines.length > (planted.get(kind) ?? 0) * 0.001);
  expect(tooMany.map(([kind, lines]) => [kind, lines.length, planted.get(kind), lines.slice(0, 5)])).toEqual(
    [],
  );
});
