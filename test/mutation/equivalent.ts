/** Mutants that no test can notice, each with its reason. */
export const equivalentMutants: readonly {
  readonly file: string;
  readonly change: string;
  readonly why: string;
}[] = [
  {
    file: "src/nbd/option-codec.ts",
    change: "bytes.writeUInt16BE(infoTypes.export, 0); -> ;",
    why: "the type is 0, and so are the bytes of a new buffer",
  },
  {
    file: "src/journal/calls/kept-states.ts",
    change: "0 -> 1",
    why: "an absent record and one of a zero byte are both no record line",
  },
  {
    file: "src/journal/pending/pending-heads.ts",
    change: "0 -> 1",
    why: "two heads never have one path, so that the comparison for equal ones is not reached",
  },
];
