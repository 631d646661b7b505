import { resolve } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { CheckpointTree } from "../../checkpoints/record/checkpoint-tree.ts";
import { idOfCheckpointRef } from "../../checkpoints/record/ids.ts";
import { redactContent } from "../../checkpoints/remove/redact-content.ts";
import { pathsOf } from "../../checkpoints/remove/removal.ts";
import { type RefTip, readHistory, replaceInRefs } from "../../checkpoints/remove/rewrite-refs.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { readStandardInput } from "../../system/machine/standard-input.ts";
import { forgetSessions } from "../../workflows/forget-sessions.ts";
import { ownRefs, removeRecords } from "../../workflows/remove-records.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { openSync } from "../command/sync-context.ts";
import { findRemovalTarget, printRemoval, removalRemote } from "../rm/removal-target.ts";
import type { RedactFlags } from "./redact-command.ts";

const maxSecretBytes = 1024 * 1024;
/** A shorter text stands in too many places that are no secret. */
const minSecretLength = 4;

/** `keyframe redact <checkpoint|session|commit>` */
export async function redact(this: CliContext, flags: RedactFlags, word: string): Promise<void> {
  const secrets = readSecrets(this, flags.secret ?? []);
  await settleFirst(this);
  const git = openRepositoryGit(this);
  const target = await findRemovalTarget(this, word);
  const meant = {
    checkpoints: new Set([...target.checkpoints, ...target.folders.keys(), ...target.others]),
    folders: new Map(),
  };
  const remote = await removalRemote(git, flags);
  const { redactor } = readCaptureSettings(git.repository, this);
  const isOther = ({ ref }: RefTip) => {
    const id = idOfCheckpointRef(ref);
    return id !== undefined && !meant.checkpoints.has(id);
  };
  const replace = async (at: Git, all: readonly RefTip[]) => {
    const refs = all.filter((one) => !isOther(one));
    const files = new Map<Oid, Set<string>>();
    for (const { ref, oid } of refs) {
      const isMeant = pathsOf(ref, meant);
      for (const [blob, paths] of await readHistory(at, oid))
        if ([...paths].some(isMeant)) files.set(blob, new Set([...(files.get(blob) ?? []), ...paths]));
    }
    const stores = openCheckpointStores(at);
    const trees: CheckpointTree[] = [];
    for (const store of Object.values(stores)) {
      for (const id of meant.checkpoints) {
        const tree = await store.find(id);
        if (tree !== undefined) trees.push(tree);
      }
    }
    return redactContent(at, { files, trees, redaction: { redactor, secrets } });
  };
  const { sync, finish } = openSync(this, git);
  try {
    if (!flags.force) {
      const own = await replace(git, await ownRefs(git));
      finish();
      if (flags.json) this.terminal.json({ checkpoints: [...meant.checkpoints], objects: own.size });
      else {
        this.terminal.out(`${own.size} objects of ${meant.checkpoints.size} checkpoints would change`);
        this.terminal.out(`\`--force\` does it here${remote === undefined ? "" : ` and at ${remote.name}`}`);
      }
      return;
    }
    const report = await removeRecords(sync, remote, {
      checkpoints: new Set(),
      rewrite: async (at, refs) =>
        replaceInRefs(
          at,
          refs.filter((one) => !isOther(one)),
          await replace(at, refs),
        ),
    });
    forgetSessions(this, git.repository, { sessionIds: target.sessionIds, checkpoints: new Set() });
    finish();
    printRemoval(this, report, { remote, json: flags.json === true });
  } finally {
    finish();
  }
}

function readSecrets({ files, cwd }: CliContext, names: readonly string[]): string[] {
  const secrets = names.flatMap((name) => {
    const bytes =
      name === "-"
        ? readStandardInput({ maxBytes: maxSecretBytes, timeoutMs: 60_000 })
        : files.read(resolve(cwd, name));
    return bytes
      .toString("utf8")
      .split("\n")
      .map((line) => line.replace(/\r$/, ""));
  });
  const given = secrets.filter((secret) => secret !== "");
  const short = given.find((secret) => secret.length < minSecretLength);
  if (short !== undefined)
    throw new KeyframeError("usage", `a text to take out has at least ${minSecretLength} characters`);
  return given;
}
