import { expect, test } from "vitest";
import { findModelEndpoint, hasKnownEndpoint } from "../../src/agents/model-endpoints.ts";

const place = { origin: "http://host:1234", token: "token", directory: "/root/project" };

test("an agent is led to another address with a token, and its settings hold no key", () => {
  for (const [agent, env, upstream, headers] of [
    ["claude", { ANTHROPIC_API_KEY: "secret" }, "https://api.anthropic.com/", { "x-api-key": "secret" }],
    [
      "claude",
      { ANTHROPIC_AUTH_TOKEN: "secret", ANTHROPIC_BASE_URL: "http://gateway:1/base/" },
      "http://gateway:1/base/",
      { authorization: "Bearer secret" },
    ],
    ["codex", { OPENAI_API_KEY: "secret" }, "https://api.openai.com/v1", { authorization: "Bearer secret" }],
  ] as const) {
    const endpoint = findModelEndpoint(agent, env);
    expect([endpoint?.upstream.href, endpoint?.headers]).toEqual([upstream, headers]);
    const settings = JSON.stringify(endpoint?.settings(place));
    expect(settings).not.toContain("secret");
    expect(settings).toContain("http://host:1234");
  }
  const path = findModelEndpoint("claude", {
    ANTHROPIC_API_KEY: "k",
    ANTHROPIC_BASE_URL: "http://gateway:1/base/",
  });
  expect(path?.settings(place).env["ANTHROPIC_BASE_URL"]).toBe("http://host:1234/base");
});

test("without a key, with an address that is none, or for another agent there is no endpoint", () => {
  expect(findModelEndpoint("claude", {})).toBeUndefined();
  expect(
    findModelEndpoint("claude", { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: "file:///x" }),
  ).toBeUndefined();
  expect(findModelEndpoint("aider", { OPENAI_API_KEY: "k" })).toBeUndefined();
  expect([hasKnownEndpoint("codex"), hasKnownEndpoint("aider")]).toEqual([true, false]);
});
