import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import type { Git } from "../git.ts";
import { committerIdentity } from "../identity.ts";
import { isOid, type Oid } from "../ids.ts";
import type { ObjectReader } from "../objects/objects.ts";
import { resolveRevision } from "./refs.ts";

/**
 * Reads the notes of some commits, whatever the fan-out of each (`abcd..`, `ab/cd..`, `ab/cd/..`): where two spellings
 * of one commit exist, the shallower wins, as in git-ai. Bytes are as stored; commits without a note are absent.
 * Only the notes tree's directories on the way are read, so a commit without a note costs nothing more.
 */
export async function readNotes(
  reader: ObjectReader,
  ref: string,
  commits: Iterable<Oid>,
): Promise<Map<Oid, Buffer>> {
  return await readNoteBlobs(reader, await findNoteBlobs(reader, ref, commits));
}

/** The same, without reading what the notes say: the blob of each. */
export async function findNoteBlobs(
  reader: ObjectReader,
  ref: string,
  commits: Iterable<Oid>,
): Promise<Map<Oid, Oid>> {
  const blobs = new Map<Oid, Oid>();
  await findNotes(reader, `${ref}^{tree}`, {
    wanted: [...new Set(commits)].map((commit) => ({ commit, rest: commit })),
    found: (commit, blob) => void blobs.set(commit, blob),
  });
  return blobs;
}

/** What is in the blobs that `findNoteBlobs` named; one that is not here is left out. */
export async function readNoteBlobs(
  reader: Pick<ObjectReader, "read">,
  blobs: ReadonlyMap<Oid, Oid>,
): Promise<Map<Oid, Buffer>> {
  const notes = await Promise.all(
    [...blobs].map(async ([commit, blob]) => [commit, await reader.read(blob)] as const),
  );
  return new Map(
    notes.flatMap(([commit, note]) => (note?.type === "blob" ? [[commit, note.content] as const] : [])),
  );
}

interface NoteSearch {
  /** Commits, and what of their name is left below the directories taken so far. */
  readonly wanted: readonly { readonly commit: Oid; readonly rest: string }[];
  readonly found: (commit: Oid, blob: Oid) => void;
}

async function findNotes(reader: ObjectReader, tree: string, { wanted, found }: NoteSearch): Promise<void> {
  const object = wanted.length === 0 ? undefined : await reader.read(tree);
  if (object?.type !== "tree") return;
  const entries = parseTree(object.content, object.oid.length / 2);
  const below = new Map<string, NoteSearch["wanted"][number][]>();
  for (const { commit, rest } of wanted) {
    const blob = entries.get(rest);
    const folder = rest.slice(0, 2);
    if (blob !== undefined) found(commit, blob);
    else below.set(folder, [...(below.get(folder) ?? []), { commit, rest: rest.slice(2) }]);
  }
  const folders = [...below].flatMap(([folder, list]) => {
    const oid = folder === "" ? undefined : entries.get(folder);
    return oid === undefined ? [] : [findNotes(reader, oid, { wanted: list, found })];
  });
  await Promise.all(folders);
}

/** Entries of a raw tree object: `<mode> <name> NUL <id bytes>`. */
function parseTree(content: Buffer, idBytes: number): Map<string, Oid> {
  const entries = new Map<string, Oid>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    const next = end + 1 + idBytes;
    entries.set(content.toString("latin1", space + 1, end), content.toString("hex", end + 1, next) as Oid);
    at = next;
  }
  return entries;
}

/** Which commits have a note, and in which blob: one `ls-tree` for all. */
export async function listNotes(git: Git, ref: string): Promise<Map<Oid, Oid>> {
  const notes = new Map<Oid, Oid>();
  const depths = new Map<Oid, number>();
  const result = await git.run(["ls-tree", "-r", "-z", "--full-tree", ref], { okCodes: [0, 128] });
  for (const entry of result.stdout.toString("latin1").split("\0")) {
    const match = /^\d+ blob ([0-9a-f]+)\t([0-9a-f/]+)$/.exec(entry);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const commit = match[2].replaceAll("/", "");
    const depth = match[2].split("/").length;
    if (!isOid(commit) || (depths.get(commit) ?? depth) < depth) continue;
    depths.set(commit, depth);
    notes.set(commit, match[1] as Oid);
  }
  return notes;
}

/** Given what a commit's note holds now, what it shall hold; undefined leaves it. Called again if a writer was first. */
export type NoteEdit = (current: Buffer | undefined) => string | undefined;

export interface NotesUpdate {
  readonly ref: string;
  readonly edits: ReadonlyMap<Oid, NoteEdit>;
  /** First line of the notes commit. */
  readonly message: string;
  /** Unix seconds. */
  readonly nowSeconds: number;
}

const maxAttempts = 10;

/**
 * Writes notes as one commit on the notes ref, by compare-and-swap: if another writer was first, the edits are asked
 * again with what that writer left. Other spellings of a written path are removed. Returns how many notes changed.
 * @throws KeyframeError `lock-busy` after 10 lost races
 */
export async function updateNotes(git: Git, reader: ObjectReader, update: NotesUpdate): Promise<number> {
  const identity = await committerIdentity(git);
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const tip = await resolveRevision(git, update.ref);
    const current = await readNotes(reader, tip ?? update.ref, update.edits.keys());
    const texts = new Map<Oid, string>();
    for (const [commit, edit] of update.edits) {
      const text = edit(current.get(commit));
      if (text !== undefined && text !== current.get(commit)?.toString("utf8")) texts.set(commit, text);
    }
    if (texts.size === 0) return 0;
    const stream = importStream({ ...update, tip, texts, identity });
    fault("notes:before-ref");
    const result = await git.run(["fast-import", "--quiet", "--done"], {
      stdin: stream,
      okCodes: [0, 1, 128],
    });
    if (result.code === 0) return texts.size;
    if (!/[Nn]ot updating|cannot lock ref|Unable to create/.test(result.stderr)) {
      throw new KeyframeError(
        "program-failed",
        `git could not write notes: ${result.stderr.trim().slice(0, 2000)}`,
      );
    }
  }
  throw new KeyframeError("lock-busy", `${update.ref} kept moving while notes were written`, {
    hint: "run `keyframe settle` again",
  });
}

interface ImportPlan {
  readonly ref: string;
  readonly tip: Oid | undefined;
  readonly texts: ReadonlyMap<Oid, string>;
  readonly identity: string;
  readonly message: string;
  readonly nowSeconds: number;
}

function importStream(plan: ImportPlan): Buffer {
  const pieces: Buffer[] = [];
  const line = (text: string) => pieces.push(Buffer.from(`${text}\n`));
  const data = (text: string) => {
    const bytes = Buffer.from(text);
    pieces.push(Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from("\n"));
  };
  line(`commit ${plan.ref}`);
  line(`committer ${plan.identity} ${plan.nowSeconds} +0000`);
  data(`${plan.message}\n`);
  if (plan.tip !== undefined) line(`from ${plan.tip}`);
  for (const [commit, text] of plan.texts) {
    const [flat, nested, deep] = noteSpellings(commit);
    line(`D ${flat}`);
    line(`D ${deep}`);
    line(`M 100644 inline ${nested}`);
    data(text);
  }
  line("done");
  return Buffer.concat(pieces);
}

/** Where the note of a commit may lie in the tree of notes: flat, and with two kinds of fan-out. */
export function noteSpellings(commit: Oid): [string, string, string] {
  const [a, b, rest] = [commit.slice(0, 2), commit.slice(2, 4), commit.slice(4)];
  return [commit, `${a}/${b}${rest}`, `${a}/${b}/${rest}`];
}
