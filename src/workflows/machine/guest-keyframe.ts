import { dirname } from "node:path";
import { Readable } from "node:stream";
import { emulatedHookSeconds } from "../../agents/model-endpoints.ts";
import { sha256Hex } from "../../base/digest.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { copyIn, writeGuestFile } from "../../sandbox/guest/copy-files.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { guestNode } from "../run/agent-layers.ts";
import { guestHome, guestScript } from "./guest-shell.ts";

/** Where Keyframe is in a machine. */
const guestProgram = "/opt/keyframe/dist";

/**
 * Brings this very Keyframe into a machine, and its Node where the image has none of ours, and connects the agents: their
 * hooks record inside as they do here.
 */
export async function putKeyframe(
  sandboxContext: SandboxContext,
  guest: GuestChannel,
  {
    directory,
    tools,
    isEmulated,
  }: { readonly directory: string; readonly tools: readonly string[]; readonly isEmulated: boolean },
): Promise<void> {
  const { node, entry } = sandboxContext.program;
  const version = sha256Hex(sandboxContext.files.read(entry)).slice(0, 16);
  const has = await guestScript(
    guest,
    `test -x ${guestNode} && echo node; cat ${guestProgram}/.version 2>/dev/null || true`,
    { to: "say what it has" },
  );
  if (!has.startsWith("node")) {
    await guestScript(guest, `mkdir -p ${dirname(guestNode)}`, { to: "make a directory" });
    await copyIn(sandboxContext.files, guest, node, guestNode);
  }
  if (!has.includes(version)) {
    await guestScript(guest, `rm -rf ${guestProgram}`, { to: "remove an older Keyframe" });
    await copyIn(sandboxContext.files, guest, dirname(entry), guestProgram);
    const shim = `#!/bin/sh\nexec ${guestNode} ${guestProgram}/keyframe.cjs "$@"\n`;
    await writeGuestFile(guest, "/usr/local/bin/keyframe", Readable.from([Buffer.from(shim)]), {
      mode: 0o755,
    });
    await writeGuestFile(guest, `${guestProgram}/.version`, Readable.from([Buffer.from(version)]), {
      mode: 0o644,
    });
  }
  const agents = tools.length === 0 ? "" : `--agent ${shellQuote(tools.join(","))}`;
  await guestScript(guest, `keyframe enable ${agents} >/dev/null`, {
    cwd: directory,
    to: "enable Keyframe (is its libc older than this machine's?)",
  });
  if (isEmulated) await giveHooksTime(guest, directory);
}

/** An emulated processor is so slow that agents give hooks up before they have recorded anything. */
async function giveHooksTime(guest: GuestChannel, directory: string): Promise<void> {
  const script = `for file in .claude/settings.local.json .codex/hooks.json; do
  if [ -f $file ]; then sed -i 's/"timeout": 30\\b/"timeout": ${emulatedHookSeconds}/' $file; fi
done`;
  await guestScript(guest, script, { cwd: directory, to: "give hooks more time" });
}

/** Writes the settings of an agent, by path from the home; what the image has there is replaced. */
export async function putSettings(
  guest: GuestChannel,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const whole = `${guestHome}/${path}`;
    await guestScript(guest, `mkdir -p ${shellQuote(dirname(whole))}`, { to: "make a directory" });
    await writeGuestFile(guest, whole, Readable.from([Buffer.from(text)]), { mode: 0o600 });
  }
}
