import { absent, type FileChange, type FileState, sameState, textFile } from "../../base/file-change.ts";
import {
  type HookAction,
  hasBlock,
  hookBlock,
  insertBlock,
  isWholeHook,
  removeBlock,
  wholeHook,
} from "./hook-block.ts";
import type { HookSituation } from "./hook-situation.ts";

/** A change together with what the path would be without Keyframe, for taking it back later. */
export interface InstallChange extends FileChange {
  readonly original: FileState;
}

/** `on`: as it should be; `outdated`: there, in an older form; `off`: not there; the rest is why it is left alone. */
export type HookStanding = "on" | "outdated" | "off" | "committed" | "shared" | "blocked";

export interface HookPlan {
  readonly name: string;
  readonly path: string;
  readonly standing: HookStanding;
  readonly changes: readonly InstallChange[];
}

const executable = 0o755;

/** What putting Keyframe into one hook changes. A hook that is there keeps working as before, in the same place or chained. */
export function planHook(situation: HookSituation, action: HookAction): HookPlan {
  const { hook, path, place, state } = situation;
  const plan = (standing: HookStanding, changes: readonly InstallChange[] = []): HookPlan => ({
    name: hook.name,
    path,
    standing,
    changes: changes.filter((change) => !sameState(change.before, change.after)),
  });
  const text = scriptText(state);
  const standing = text === undefined || !hasBlock(text) ? "off" : "outdated";
  if (place !== "own") return plan(place);
  if (text !== undefined && isWholeHook(text)) {
    const after = textFile(wholeHook(hook, action), executable);
    const original = situation.chained.kind === "absent" ? absent : unchained(situation.chained);
    const change = { path, before: state, after, original, why: `run Keyframe ${hook.moment}` };
    return sameState(state, after) ? plan("on") : plan("outdated", [change]);
  }
  if (text !== undefined && isExecutable(state)) {
    const bare = removeBlock(text);
    const inserted = insertBlock(bare, hookBlock(hook, action));
    if (inserted !== undefined) {
      const after = withText(state, inserted);
      const change = {
        path,
        before: state,
        after,
        original: withText(state, bare),
        why: "run Keyframe before the hook that is there",
      };
      const moved = planMovedAside(situation).map((aside) => ({ ...aside, original: aside.after }));
      return sameState(state, after) && moved.length === 0 ? plan("on") : plan(standing, [change, ...moved]);
    }
  }
  const after = textFile(wholeHook(hook, action), executable);
  if (state.kind === "absent") {
    return plan("off", [{ path, before: state, after, original: state, why: `run Keyframe ${hook.moment}` }]);
  }
  if (situation.chained.kind !== "absent") return plan("blocked");
  return plan("off", [
    {
      path: situation.chainedPath,
      before: absent,
      after: chained(state),
      original: absent,
      why: "keep the hook that is there, to be run after Keyframe",
    },
    { path, before: state, after, original: state, why: "run Keyframe, then the hook that was there" },
  ]);
}

/** What taking Keyframe out of one hook changes. */
export function planHookRemoval(situation: HookSituation): readonly FileChange[] {
  const { path, state, place } = situation;
  if (place !== "own") return [];
  const moved = planMovedAside(situation);
  const text = scriptText(state);
  if (text === undefined || !hasBlock(text)) return moved;
  const why = "taken back";
  if (!isWholeHook(text)) {
    return [{ path, before: state, after: withText(state, removeBlock(text)), why }, ...moved];
  }
  if (situation.chained.kind === "absent") return [{ path, before: state, after: absent, why }, ...moved];
  return [
    { path, before: state, after: unchained(situation.chained), why },
    { path: situation.chainedPath, before: situation.chained, after: absent, why },
    ...moved,
  ];
}

/** Takes Keyframe out of a hook of ours that another tool moved aside for its own; the hook in our care goes there. */
function planMovedAside({ movedAside, chained: kept, chainedPath }: HookSituation): FileChange[] {
  const why = "moved aside by another tool";
  return movedAside.flatMap(({ path, state }) => {
    const text = scriptText(state);
    if (text === undefined || !hasBlock(text)) return [];
    if (!isWholeHook(text)) return [{ path, before: state, after: withText(state, removeBlock(text)), why }];
    if (kept.kind === "absent") return [{ path, before: state, after: absent, why }];
    return [
      { path, before: state, after: unchained(kept), why },
      { path: chainedPath, before: kept, after: absent, why },
    ];
  });
}

function scriptText(state: FileState): string | undefined {
  if (state.kind !== "file") return undefined;
  const text = state.content.toString("utf8");
  // only a text that survives decoding can be edited as text
  return Buffer.from(text).equals(state.content) ? text : undefined;
}

function withText(state: FileState, text: string): FileState {
  return textFile(text, state.kind === "file" ? state.mode : executable);
}

function isExecutable(state: FileState): boolean {
  return state.kind === "file" && (state.mode & 0o111) !== 0;
}

/** A relative link is spelled from its folder: the chained one lies one deeper. */
function chained(state: FileState): FileState {
  return state.kind === "symlink" && !state.target.startsWith("/")
    ? { ...state, target: `../${state.target}` }
    : state;
}

function unchained(state: FileState): FileState {
  return state.kind === "symlink" ? { ...state, target: state.target.replace(/^\.\.\//, "") } : state;
}
