import { errorCodes } from "../../src/base/error-codes.ts";
import { exitCodes } from "../../src/cli/command/exit-codes.ts";

/** docs/errors.md as the tables in the code give it. */
export function renderErrorsPage(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, meaning]) => `| \`${code}\` | ${exitCodes[code as keyof typeof errorCodes]} | ${meaning} |`,
  );
  return `# Errors

A command that fails prints one line, \`keyframe: <what> (<code>)\`, then what to do next, then the cause. Codes and exit
codes are stable. Hooks never fail: what they could not do is shown by \`keyframe status\` and \`keyframe doctor\`.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong usage or input |
| 3 | the thing named does not exist |
| 4 | refused: it would be unsafe |
| 5 | a stored record is damaged |
| 6 | try again: busy, too slow, or no space |

| code | exit code | meaning |
| --- | --- | --- |
${rows.join("\n")}
`;
}
