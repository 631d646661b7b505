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
];
