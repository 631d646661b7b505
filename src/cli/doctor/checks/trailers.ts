import { connectableAgents } from "../../../agents/connectable-agents.ts";
import type { ParsedAuthorshipLog } from "../../../authorship/note/log-codec.ts";
import { openNoteSource, readAuthorshipLogs } from "../../../authorship/note/note-source.ts";
import { resolveOwner } from "../../../authorship/note/owners.ts";
import { creditedAgent } from "../../../checkpoints/record/credit-trailers.ts";
import { namedCheckpoints } from "../../../checkpoints/record/trailers.ts";
import type { Git } from "../../../git/git.ts";
import { isOid, type Oid } from "../../../git/ids.ts";
import { openObjectReader } from "../../../git/objects/objects.ts";
import type { DoctorCheck, Finding } from "./check.ts";

/** The newest commits of HEAD that name an agent are looked at. */
const maxCommits = 500;

/** Commits whose message credits other agents than their note: a trailer is a claim, the note is the evidence. */
export const trailersCheck: DoctorCheck = {
  name: "trailers",
  label: "trailer",
  async find({ git, cli }) {
    const commits = await readCreditingCommits(git);
    if (commits.length === 0) return [];
    const reader = openObjectReader(git);
    try {
      const source = openNoteSource(git, reader, cli.files);
      const logs = await readAuthorshipLogs(
        source,
        commits.map(({ oid }) => oid),
      );
      return commits.flatMap((commit) => describe(commit, logs.get(commit.oid)));
    } finally {
      await reader.close();
    }
  },
};

interface CreditingCommit {
  readonly oid: Oid;
  readonly agents: ReadonlySet<string>;
  /** It names a conversation, which may have led to it without writing a line: a removal, a binary file. */
  readonly isLinked: boolean;
}

async function readCreditingCommits(git: Git): Promise<CreditingCommit[]> {
  const grep = ["-E", "--grep=^(Assisted-by|Generated-by|Co-authored-by): ", `--max-count=${maxCommits}`];
  const { stdout } = await git.run(["log", "--format=%H%x00%B%x1e", ...grep, "HEAD", "--"], {
    okCodes: [0, 128],
  });
  return stdout
    .toString("utf8")
    .split("\x1e")
    .flatMap((record) => {
      const [oid = "", message = ""] = record.trimStart().split("\0");
      const credited = message.split("\n").flatMap((line) => creditedAgent(line.trimEnd()) ?? []);
      // others write such trailers too, with names of their own
      const agents = new Set(credited.filter((agent) => connectableAgents.includes(agent)));
      const isLinked = namedCheckpoints(message).length > 0;
      return isOid(oid) && agents.size > 0 ? [{ oid, agents, isLinked }] : [];
    });
}

function describe(
  { oid, agents, isLinked }: CreditingCommit,
  note: ParsedAuthorshipLog | undefined,
): Finding[] {
  const noted = agentsOf(note);
  const unnamed = [...noted].filter((agent) => !agents.has(agent));
  const unseen = isLinked ? [] : [...agents].filter((agent) => !noted.has(agent));
  const what = [
    ...unnamed.map((agent) => `lines of ${agent} are in its note, and its trailers do not name it`),
    ...unseen.map((agent) => `a trailer names ${agent}, and no line of it is in its note`),
  ];
  return what.map((text) => ({
    kind: "trailer",
    subject: oid,
    what: text,
    repair: "nothing to do: owners are read from notes, never from trailers",
    repairable: false,
    damage: false,
  }));
}

function agentsOf(note: ParsedAuthorshipLog | undefined): ReadonlySet<string> {
  const { files = [], metadata = {} } = note?.log ?? {};
  const keys = new Set(files.flatMap(({ entries }) => entries.map(({ key }) => key)));
  const owners = [...keys].map((key) => resolveOwner(metadata, key));
  return new Set(owners.flatMap((owner) => (owner?.kind === "agent" ? [owner.agent.tool] : [])));
}
