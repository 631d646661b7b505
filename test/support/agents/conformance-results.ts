import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Verdicts } from "./play-session.ts";
import type { RealAgent } from "./real-agent.ts";

/** What the last run of the whole suite found, by agent. `npm run test:agents` writes it. */
export interface ConformanceResult {
  readonly version: string;
  readonly verdicts: Verdicts;
}

const page = new URL("../../agents/conformance-results.json", import.meta.url);

export function readConformanceResults(): Readonly<Record<string, ConformanceResult>> {
  if (!existsSync(page)) return {};
  return JSON.parse(readFileSync(page, "utf8")) as Record<string, ConformanceResult>;
}

/** Keeps what a run found, where it was started to do that. */
export function recordVerdicts({ name, version }: RealAgent, verdicts: Verdicts): void {
  if (!process.env["KEYFRAME_RECORD_AGENTS"]) return;
  const all = readConformanceResults();
  const known = all[name]?.version === version ? all[name].verdicts : {};
  const results = { ...all, [name]: { version, verdicts: { ...known, ...verdicts } } };
  const sorted = Object.entries(results).sort(([left], [right]) => (left < right ? -1 : 1));
  writeFileSync(page, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
}
