import type { ReportFacts, ReportHint } from "./report-facts.ts";
import { shareOf } from "./report-facts.ts";

/** From this share on the report points at lines that nobody is known for. */
const largeUnknownPercent = 50;

/** A file of tests, by the names that tools look for. */
export function isTestPath(path: string): boolean {
  return (
    /(^|\/)(tests?|__tests__|specs?|testdata)\//.test(path) ||
    /(\.|_|-)(test|spec)s?\.[^/]+$/.test(path) ||
    /(^|\/)test_[^/]+\.py$/.test(path) ||
    /[a-z]Tests?\.(java|kt|cs|scala)$/.test(path)
  );
}

/** Facts that a reviewer may want to look at. No judgement: how good a change is cannot be counted. */
export function hintsOf(facts: Omit<ReportFacts, "hints">): ReportHint[] {
  const { total, commits, notedCommits, files, tests } = facts;
  const hints: ReportHint[] = [];
  const unknown = shareOf(total.unknown, total);
  if (unknown >= largeUnknownPercent)
    hints.push({ rule: "unknown-share", text: `${unknown} % of the added lines have no known owner.` });
  if (notedCommits < commits)
    hints.push({
      rule: "no-notes",
      text: `${commits - notedCommits} of ${commits} commits have no authorship note.`,
    });
  const byAgents = files.filter(
    ({ path, agents, added }) => isTestPath(path) && added > 0 && agents === added,
  );
  if (byAgents.length > 0)
    hints.push({
      rule: "agent-tests",
      text: `All added lines of ${byAgents.length} test ${byAgents.length === 1 ? "file" : "files"} are agents'.`,
    });
  if (tests.length === 0 && total.agents > 0)
    hints.push({ rule: "no-tests", text: "Agents added lines, and no test file was changed." });
  return hints;
}
