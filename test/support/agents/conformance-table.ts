import { readConformanceResult } from "./conformance-results.ts";
import { realAgents } from "./real-agents.ts";
import { limitOf, type Scenario, scenarios } from "./scenarios.ts";

/**
 * The table of the conformance suite in `docs/agents.md`: what the last run of the whole suite found of each agent, by its
 * version. An agent of which a version was never run shows that.
 */
export function conformanceTable(): string {
  const notes: string[] = [];
  const noteFor = (text: string) => {
    if (!notes.includes(text)) notes.push(text);
    return `(${notes.indexOf(text) + 1})`;
  };
  const cellOf = (scenario: Scenario, agent: (typeof realAgents)[number]) => {
    const limit = limitOf(scenario, agent);
    if (limit !== undefined) return noteFor(limit);
    const result = readConformanceResult(agent.name);
    const verdict = result?.version === agent.version ? result.verdicts[scenario.name] : undefined;
    if (verdict === undefined) return "not run";
    return verdict === "yes" ? "yes" : "no";
  };
  const head = ["", ...realAgents.map(({ name, version }) => `${name} ${version}`)];
  const rows = scenarios.map((scenario) => [
    scenario.name,
    ...realAgents.map((agent) => cellOf(scenario, agent)),
  ]);
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const list = notes.map((text, index) => `(${index + 1}) ${text}`);
  return [...table, "", list.join("; ")].join("\n");
}
