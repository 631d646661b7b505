import { isAbsolute, join } from "node:path";
import { isKeyframeError } from "../../base/errors.ts";
import { compileGlob } from "../../base/text/glob.ts";
import { maxReportBytes } from "../../race/checks/junit.ts";
import { maxReports, type ReportFiles } from "../../race/checks/report-files.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { collectOutput } from "../../sandbox/guest/output.ts";
import { collectCommand } from "../../sandbox/guest/session.ts";
import { guestEnvironment, guestScript } from "../machine/guest-shell.ts";

/** What commands wrote in a machine, below a directory of it. */
export class GuestReports implements ReportFiles {
  readonly #guest: GuestChannel;
  readonly #directory: string;

  constructor(guest: GuestChannel, directory: string) {
    this.#guest = guest;
    this.#directory = directory;
  }

  async find(pattern: string): Promise<string[]> {
    const matches = compileGlob(pattern);
    const script =
      "find . -xdev -maxdepth 13 -type d \\( -name .git -o -name node_modules \\) -prune -o -type f -print0";
    const names = await guestScript(this.#guest, script, { cwd: this.#directory, to: "look for reports" });
    return names
      .split("\0")
      .map((name) => name.replace(/^\.\//, ""))
      .filter((name) => name !== "" && matches(name))
      .slice(0, maxReports)
      .map((name) => join(this.#directory, name));
  }

  async read(path: string): Promise<string | undefined> {
    try {
      const bytes = await collectOutput(this.#guest.getFile(path), {
        maxBytes: maxReportBytes,
        what: `read ${path}`,
        tooLarge: `the report ${path} is larger than ${maxReportBytes} bytes`,
      });
      return bytes.toString("utf8");
    } catch (error) {
      if (isKeyframeError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    const stdin = Buffer.from(paths.filter(isAbsolute).join("\0"));
    if (stdin.length === 0) return;
    await collectCommand(
      this.#guest,
      { argv: ["xargs", "-0", "rm", "-f", "--"], env: guestEnvironment },
      { stdin },
    );
  }
}
