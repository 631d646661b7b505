import { dirname, join } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { createRedactor, type Redactor } from "../../transcripts/redaction/redaction.ts";
import type { PrefixRule } from "../../transcripts/redaction/rules.ts";
import { parseUserRules } from "../../transcripts/redaction/user-rules.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";

/** How conversations of a repository are stored. */
export interface CaptureSettings {
  readonly redactor: Redactor;
  /** Where new checkpoints are written. */
  readonly store: StoreKind;
}

const maxSettingsBytes = 256 * 1024;
const storeNames: readonly StoreKind[] = ["v1", "v2", "refs"];

/**
 * The team's settings, committed as `.keyframe/settings.json`, and the person's own beside the repository. Rules of both
 * hold; of the store the person's own word counts. No member of either names a program: what is committed comes from
 * others. Members that are not known are passed over, damaged settings are an error: what they wanted redacted would
 * otherwise be stored.
 * @throws KeyframeError `invalid-input`, `refused`, `too-large`
 */
export function readCaptureSettings(
  repository: Repository,
  { files }: { readonly files: Files },
): CaptureSettings {
  const all = settingsPaths(repository).map((path) => readSettings(path, files));
  return {
    redactor: createRedactor(all.flatMap(({ rules }) => rules)),
    store: all.findLast(({ store }) => store !== undefined)?.store ?? "v1",
  };
}

/** The team's, then the person's own. */
export function settingsPaths({ workTree, commonDir }: Repository): string[] {
  const team = workTree === undefined ? [] : [join(workTree, ".keyframe", "settings.json")];
  return [...team, join(commonDir, "keyframe", "settings.json")];
}

interface Settings {
  readonly rules: readonly PrefixRule[];
  readonly store: StoreKind | undefined;
}

function readSettings(path: string, files: Files): Settings {
  const stat = files.statIfExists(path);
  if (stat === undefined) return { rules: [], store: undefined };
  // what is committed may be a link to a device, or to a file of the user's
  if (stat.kind !== "file" || files.statIfExists(dirname(path))?.kind !== "folder")
    throw new KeyframeError("refused", `the settings ${path} are not a plain file in a plain directory`);
  if (stat.sizeBytes > maxSettingsBytes)
    throw new KeyframeError("too-large", `the settings ${path} have ${stat.sizeBytes} bytes`);
  try {
    return parseSettings(JSON.parse(files.read(path).toString("utf8")));
  } catch (error) {
    throw new KeyframeError("invalid-input", `the settings ${path} cannot be used: ${errorText(error)}`, {
      cause: error,
      hint:
        (error instanceof KeyframeError ? error.hint : undefined) ??
        "correct the file; until then no conversation is stored",
    });
  }
}

function parseSettings(value: unknown): Settings {
  const rules = member(member(value, "redaction"), "rules");
  const store = member(member(value, "checkpoints"), "store");
  const kind = storeNames.find((name) => name === store);
  if (store !== undefined && kind === undefined) {
    throw new KeyframeError("invalid-input", `checkpoints.store is none of ${storeNames.join(", ")}`);
  }
  return { rules: rules === undefined ? [] : parseUserRules(rules), store: kind };
}

/** Undefined only where the member is absent. */
function member(value: unknown, name: string): unknown {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new KeyframeError("invalid-input", `what should hold ${name} is not an object`);
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
