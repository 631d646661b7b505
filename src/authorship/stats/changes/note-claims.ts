import { type AuthorshipLog, ownersByPath } from "../../note/log.ts";
import { type Owner, overriddenBeforeCommit, resolveOwner } from "../../note/owners.ts";
import type { OwnerRun, OwnerRuns } from "../../rules/owner-runs.ts";

/** What a note says as far as it is counted: whose lines, without the single edits of a session. */
export interface NoteClaims {
  /** By normalised path. A run's key is a place in `owners`. */
  readonly files: ReadonlyMap<string, OwnerRuns>;
  readonly owners: readonly Owner[];
  /** By session: lines that somebody else took over before the commit. */
  readonly overriddenBefore: ReadonlyMap<string, number>;
}

export function claimsOf(log: AuthorshipLog): NoteClaims {
  const owners: Owner[] = [];
  const places = new Map<string, string>();
  const placeByName = new Map<string, string>();
  const overriddenBefore = new Map<string, number>();

  function placeOf(key: string): string {
    const place = places.get(key) ?? findPlace(resolveOwner(log.metadata, key));
    places.set(key, place);
    return place;
  }

  function findPlace(owner: Owner | undefined): string {
    if (owner === undefined) return nobody;
    const name = nameOf(owner);
    const known = placeByName.get(name);
    if (known !== undefined) return known;
    const place = String(owners.push(owner.kind === "agent" ? { ...owner, trace: undefined } : owner) - 1);
    placeByName.set(name, place);
    const count = owner.kind === "agent" ? overriddenBeforeCommit(log.metadata, owner.session) : 0;
    if (owner.kind === "agent" && count > 0) overriddenBefore.set(owner.session, count);
    return place;
  }

  const files = new Map(
    [...ownersByPath(log)].map(([path, { runs }]) => [path, joinByPlace(runs, placeOf)] as const),
  );
  return { files, owners, overriddenBefore };
}

const nobody = "-1";

/** Of a note's owners: the metadata explains each session, prompt and human once. */
function nameOf(owner: Owner): string {
  return owner.kind === "human"
    ? owner.key
    : `${owner.session} ${owner.agent.tool} ${owner.agent.id} ${owner.agent.model}`;
}

/** Touching runs of one session, however many edits it took. */
function joinByPlace(runs: OwnerRuns, placeOf: (key: string) => string): OwnerRuns {
  const joined: OwnerRun[] = [];
  for (const { first, last, key: edit } of runs) {
    const key = placeOf(edit);
    const before = joined.at(-1);
    if (before?.key === key && before.last + 1 === first)
      joined[joined.length - 1] = { first: before.first, last, key };
    else joined.push({ first, last, key });
  }
  return joined;
}

export function ownerOf(claims: NoteClaims | undefined, key: string): Owner | undefined {
  return claims?.owners[Number(key)];
}
