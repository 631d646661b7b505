import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { resolveRevision } from "../../../git/refs/refs.ts";
import { findElectedRemote } from "../../../git/remote/remote.ts";
import { describeSquashMerging, findSquashMerging } from "../../../workflows/ci/squash-merging.ts";
import type { DoctorCheck } from "./check.ts";

/** A remote whose service squashes what is merged, so that owners and links do not arrive. */
export const mergesCheck: DoctorCheck = {
  name: "merges",
  label: "merge",
  async find({ git }) {
    if ((await resolveRevision(git, notesRef)) === undefined) return [];
    const remote = await findElectedRemote(git);
    const found = remote === undefined ? undefined : await findSquashMerging(git, remote.name);
    if (found === undefined) return [];
    const { what, repair } = describeSquashMerging(found);
    return [{ kind: "merge", subject: found.branch, what, repair, repairable: false, damage: false }];
  },
};
