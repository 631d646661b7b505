import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { resumeSha256, startSha256 } from "../../src/base/resumable-sha256.ts";

test("bytes in any pieces, put away and taken up between them, have the digest that Node gives", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (pieces) => {
      let hash = startSha256();
      for (const piece of pieces) {
        hash.update(piece);
        const resumed = resumeSha256(hash.save());
        if (resumed === undefined) throw new Error("its own state is refused");
        expect(resumed.digest()).toBe(hash.digest());
        hash = resumed;
      }
      expect(hash.digest()).toBe(createHash("sha256").update(Buffer.concat(pieces)).digest("hex"));
    }),
  );
});

test.each(["", "00", `${"0".repeat(64)}.1.`, `${"0".repeat(64)}.64.00`, `${"g".repeat(64)}.0.`])(
  "%j is no state of it",
  (text) => {
    expect(resumeSha256(text)).toBeUndefined();
  },
);
