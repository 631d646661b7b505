import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { realAgents } from "./agents/real-agents.ts";
import { claudeVersion } from "./real-claude.ts";

export const agentsImage = "agents";

/**
 * A sandbox home with an image that holds Claude Code and Codex, built once for their versions and kept outside of the
 * project: Debian, Node and a program of 250 MB take minutes to put together.
 */
export function buildAgentsImage(): string {
  const codexVersion = realAgents.find(({ name }) => name === "codex")?.version ?? "";
  const versions = `claude-${claudeVersion}-codex-${codexVersion}-node-${process.version}`;
  const home = join(homedir(), ".cache", "keyframe-test", `machine-${versions}`);
  if (existsSync(home)) return home;
  mkdirSync(dirname(home), { recursive: true });
  // beside the final directory, so that a build that was cut off leaves nothing that looks whole
  const fresh = mkdtempSync(`${home}-`);
  const agents = `claude@${claudeVersion},codex@${codexVersion}`;
  execFileSync(process.execPath, ["dist/keyframe.cjs", "image", "build", agentsImage, "--agent", agents], {
    env: { ...process.env, KEYFRAME_SANDBOX_HOME: fresh, npm_config_prefer_offline: "true" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  // the layers of agents are in the image by now
  rmSync(join(fresh, "agents"), { recursive: true, force: true });
  renameSync(fresh, home);
  return home;
}
