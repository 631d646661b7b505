import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * The directory of one npm package with what it depends on, outside of the project and installed once: agents are large, and
 * some are proprietary, so they are used by tests and never distributed.
 */
export function installPackage(name: string, version: string): string {
  const slug = `${name.replace(/^@/, "").replace("/", "-")}-${version}`;
  const folder = join(homedir(), ".cache", "keyframe-test", slug);
  const whole = join(folder, "node_modules", name, "package.json");
  if (existsSync(whole)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  // beside the final directory, so that a killed installation leaves nothing that looks whole
  const fresh = mkdtempSync(`${folder}-`);
  writeFileSync(join(fresh, "package.json"), '{"private":true}\n');
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${version}`];
  execFileSync("npm", args, { cwd: fresh, stdio: ["ignore", "ignore", "inherit"] });
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  return folder;
}
