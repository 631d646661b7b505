// Covers src/transcripts/relate/**.
import { describe, expect, test } from "vitest";
import { relateTranscripts } from "../../../src/transcripts/relate/relate-transcripts.ts";

async function* stream(text: string) {
  yield Buffer.from(text);
}
const relate = (ours: string, theirs: string) => relateTranscripts(stream(ours), stream(theirs));
const line = (text: string) => `${JSON.stringify({ type: "user", message: { content: text } })}\n`;

describe("two copies of a conversation", () => {
  test.each([
    ["equal", line("a") + line("b"), line("a") + line("b"), "same"],
    ["one went on, and no line has a date", line("a") + line("b"), line("a"), "longer"],
    ["the other went on", line("a"), line("a") + line("b"), "shorter"],
    ["both went on", line("a") + line("b"), line("a") + line("c") + line("d"), "apart"],
    ["a secret was taken out of one", line("key=abc"), line("key=REDACTED"), "same"],
    ["secrets of several places", line("x k1 y k2 z") + line("b"), line("x REDACTED y REDACTED z"), "longer"],
    ["what stands around a secret differs", line("key=abc;"), line("kez=REDACTED;"), "apart"],
    ["a line was too long to be stored", line("long"), '{"type":"keyframe-omitted","reason":"x"}\n', "same"],
    ["only the last line end is missing", line("a"), line("a").trimEnd(), "same"],
  ])("%s", async (_, ours, theirs, expected) => {
    expect((await relate(ours, theirs)).relation).toBe(expected);
  });

  test("documents go by their messages", async () => {
    const document = (updated: string, ...messages: string[]) =>
      JSON.stringify({
        sessionId: "s",
        lastUpdated: updated,
        messages: messages.map((content) => ({ content })),
      });
    expect(await relate(document("2", "a", "b", "c"), document("9", "a", "b"))).toEqual({
      relation: "longer",
      ours: 3,
      theirs: 2,
    });
  });
});
