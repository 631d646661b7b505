import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import type { SandboxLab } from "./sandbox-context.ts";

/** Makes a snapshot `prepared` of a machine with this machine's git and Node in it, as an image would have them. */
export async function prepareMachine(lab: SandboxLab): Promise<void> {
  const { record } = await lab.boot("prep", { memoryMiB: 512 });
  const git = realpathSync(execFileSync("which", ["git"], { encoding: "utf8" }).trim());
  const libraries = [git, process.execPath].flatMap((program) =>
    [...execFileSync("ldd", [program], { encoding: "utf8" }).matchAll(/=> (\/\S+) \(0x/g)].map(
      (match) => match[1] ?? "",
    ),
  );
  const copies = [...new Set(libraries)].map((path) => [path, path]);
  for (const [from, to] of [[git, "/usr/bin/git"], [process.execPath, "/root/node"], ...copies])
    must(lab, "sandbox", "cp", from ?? "", `prep:${to}`);
  await lab.sh(record, "mkdir -p /opt/keyframe/bin && mv /root/node /opt/keyframe/bin/node");
  must(lab, "sandbox", "snapshot", "prep", "--name", "prepared");
  must(lab, "sandbox", "stop", "prep");
}

function must(lab: SandboxLab, ...args: string[]): void {
  const { code, stderr } = lab.cli(args);
  if (code !== 0) throw new Error(`keyframe ${args.join(" ")} ended with ${code}: ${stderr}`);
}
