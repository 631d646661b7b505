import { tarPadding } from "../../src/base/ustar.ts";
import { encodeTarEntry, nameOfText, type TarEntry, tarEnd } from "../../src/sandbox/tar/tar-entry.ts";

export type TarMemberSpec = Partial<Omit<TarEntry, "path" | "sizeBytes">> & {
  readonly path: string;
  readonly content?: string | Buffer;
};

/** A tar with these members, as anybody could write it. */
export function tarOf(members: readonly TarMemberSpec[]): Buffer {
  const parts = members.flatMap(({ path, content, linkTarget, ...rest }) => {
    const bytes = Buffer.from(content ?? "");
    const entry: TarEntry = {
      kind: "file",
      mode: 0o644,
      userId: 0,
      groupId: 0,
      modifiedAtS: 0,
      major: 0,
      minor: 0,
      ...rest,
      path: nameOfText(path),
      linkTarget: nameOfText(linkTarget ?? ""),
      sizeBytes: bytes.length,
    };
    return [encodeTarEntry(entry), bytes, Buffer.alloc(tarPadding(bytes.length))];
  });
  return Buffer.concat([...parts, tarEnd]);
}
