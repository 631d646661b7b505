import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Verdicts } from "./play-session.ts";
import type { RealAgent } from "./real-agent.ts";

/** What the last run of the whole suite found, by agent. `npm run test:agents` writes it. */
export interface ConformanceResult {
  readonly version: string;
  readonly verdicts: Verdicts;
}

const pageOf = (name: string) => new URL(`../../agents/conformance-results/${name}.json`, import.meta.url);

/** A file for each agent: several play at once. */
export function readConformanceResult(name: string): ConformanceResult | undefined {
  const page = pageOf(name);
  return existsSync(page) ? (JSON.parse(readFileSync(page, "utf8")) as ConformanceResult) : undefined;
}

/** Keeps what a run found, where it was started to do that. */
export function recordVerdicts({ name, version }: RealAgent, verdicts: Verdicts): void {
  if (!process.env["KEYFRAME_RECORD_AGENTS"]) return;
  const found = readConformanceResult(name);
  const known = found?.version === version ? found.verdicts : {};
  const result = { version, verdicts: { ...known, ...verdicts } };
  writeFileSync(pageOf(name), `${JSON.stringify(result, null, 2)}\n`);
}
