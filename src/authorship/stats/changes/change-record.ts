import type { Oid, RepoPath } from "../../../git/ids.ts";
import type { FilePatch, Hunk } from "../../../git/objects/file-patch.ts";
import type { Owner } from "../../note/owners.ts";
import type { OwnerRun, OwnerRuns } from "../../rules/owner-runs.ts";
import type { NoteClaims } from "./note-claims.ts";

/** What a commit changed and what its note claims, as it is kept in the index. */
export interface CountedChange {
  readonly parents: readonly Oid[];
  /** Against each parent; a root commit has one list. */
  readonly patches: readonly (readonly FilePatch[])[];
  readonly claims: NoteClaims | undefined;
}

/** Numbers of hunks and runs one after another; 0 for a path that is not there. */
type FileForm = readonly [oldPath: string | 0, newPath: string | 0, binary: 0 | 1, hunks: readonly number[]];
type ClaimsForm = readonly [
  owners: readonly Owner[],
  files: readonly (readonly [path: string, runs: readonly number[]])[],
  overriddenBefore: readonly (readonly [session: string, count: number])[],
];
type RecordForm = readonly [
  parents: readonly Oid[],
  patches: readonly (readonly FileForm[])[],
  claims: ClaimsForm | 0,
];

/** One line of JSON. */
export function encodeChange({ parents, patches, claims }: CountedChange): string {
  const form: RecordForm = [
    parents,
    patches.map((files) => files.map(fileForm)),
    claims === undefined
      ? 0
      : [
          claims.owners,
          [...claims.files].map(([path, runs]) => [
            path,
            runs.flatMap(({ first, last, key }) => [first, last, Number(key)]),
          ]),
          [...claims.overriddenBefore],
        ],
  ];
  return JSON.stringify(form);
}

/** @throws SyntaxError if the text is not what `encodeChange` made */
export function decodeChange(text: string): CountedChange {
  const [parents, patches, claims] = JSON.parse(text) as RecordForm;
  return {
    parents,
    patches: patches.map((files) => files.map(fileOfForm)),
    claims:
      claims === 0
        ? undefined
        : {
            owners: claims[0],
            files: new Map(claims[1].map(([path, numbers]) => [path, runsOfNumbers(numbers)])),
            overriddenBefore: new Map(claims[2]),
          },
  };
}

function fileForm({ oldPath, newPath, binary, hunks }: FilePatch): FileForm {
  const numbers = hunks.flatMap(({ oldStart, oldCount, newStart, newCount }) => [
    oldStart,
    oldCount,
    newStart,
    newCount,
  ]);
  return [oldPath ?? 0, newPath ?? 0, binary ? 1 : 0, numbers];
}

function fileOfForm([oldPath, newPath, binary, numbers]: FileForm): FilePatch {
  const hunks: Hunk[] = [];
  for (let at = 0; at < numbers.length; at += 4) {
    const [oldStart = 0, oldCount = 0, newStart = 0, newCount = 0] = [
      numbers[at],
      numbers[at + 1],
      numbers[at + 2],
      numbers[at + 3],
    ];
    hunks.push({ oldStart, oldCount, newStart, newCount });
  }
  const path = (text: string | 0) => (text === 0 ? undefined : (text as RepoPath));
  return { oldPath: path(oldPath), newPath: path(newPath), binary: binary === 1, hunks };
}

function runsOfNumbers(numbers: readonly number[]): OwnerRuns {
  const runs: OwnerRun[] = [];
  for (let at = 0; at < numbers.length; at += 3)
    runs.push({ first: numbers[at] ?? 0, last: numbers[at + 1] ?? 0, key: String(numbers[at + 2]) });
  return runs;
}
