import { parseSandboxId, type SandboxId } from "../../sandbox/ids.ts";

// E2B's ids are letters and digits: ours without the dash.

export function encodeE2bId(id: SandboxId): string {
  return id.replace("-", "");
}

export function parseE2bId(text: string): SandboxId | undefined {
  return parseSandboxId(text.replace(/^sb(?=[0-9a-f]{12}$)/, "sb-"));
}
