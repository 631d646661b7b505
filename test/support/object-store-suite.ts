import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesContent, collect } from "../../src/blocks/stores/interface/object-content.ts";
import type { ObjectContent, ObjectStore } from "../../src/blocks/stores/interface/object-store.ts";
import { patternBytes } from "./memory-image.ts";

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** Where objects are put: the store itself, or what a read-only one shows. */
  readonly writer: ObjectStore;
  /** What the store cannot do. */
  readonly lacks?: readonly ("put" | "list")[];
  close?(): Promise<void>;
}

export interface StoreSuiteOptions {
  /** An object that is long for this store: several parts where it has them. */
  readonly longBytes?: number;
  readonly propertyRuns?: number;
}

/** What every object store does, as tests. Keys differ from test to test, so one store serves them all. */
export function describeObjectStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { longBytes = 3_000_000, propertyRuns = 40 }: StoreSuiteOptions = {},
): void {
  describe(`${name} store`, () => {
    let under: StoreUnderTest;
    let keys = 0;
    const signal = new AbortController().signal;
    beforeAll(async () => {
      under = await open();
    });
    afterAll(async () => {
      await under.close?.();
      await under.store.close();
    });

    const newKey = (folder = "layers/aa") => {
      keys += 1;
      return `${folder}/object-${keys}`;
    };
    const put = (key: string, bytes: Buffer) => under.writer.put(key, bytesContent(bytes), { signal });
    const get = (key: string, offsetBytes?: number, lengthBytes?: number) =>
      collect(
        under.store.read(
          key,
          offsetBytes === undefined || lengthBytes === undefined ? undefined : { offsetBytes, lengthBytes },
          signal,
        ),
        longBytes,
      );
    const mustPut = () => under.lacks?.includes("put") !== true;

    test("gives back what was put, whole and in its length", async () => {
      for (const bytes of [Buffer.from("hello"), patternBytes(200_001), Buffer.alloc(0)]) {
        const key = newKey();
        expect(await put(key, bytes)).toBe("created");
        expect((await get(key)).equals(bytes)).toBe(true);
        expect(await under.store.stat(key, signal)).toMatchObject({ sizeBytes: bytes.length });
      }
    });

    test("gives every range of an object like a file", async () => {
      const bytes = patternBytes(100_000);
      const key = newKey();
      await put(key, bytes);
      await fc.assert(
        fc.asyncProperty(fc.nat(100_000), fc.nat(100_000), async (a, b) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          expect((await get(key, start, end - start)).equals(bytes.subarray(start, end))).toBe(true);
        }),
        {
          numRuns: propertyRuns,
          examples: [
            [0, 0],
            [0, 100_000],
            [100_000, 100_000],
            [99_999, 100_000],
          ],
        },
      );
    });

    test("refuses a range that leaves the object", async () => {
      const key = newKey();
      await put(key, Buffer.from("0123456789"));
      await expect(get(key, 5, 6)).rejects.toMatchObject({ code: "invalid-input" });
      await expect(get(key, 11, 0)).rejects.toMatchObject({ code: "invalid-input" });
      await expect(get(key, 10, 1)).rejects.toMatchObject({ code: "invalid-input" });
      await expect(get(key, -1, 2)).rejects.toMatchObject({ code: "invalid-input" });
    });

    test("tells absence from emptiness", async () => {
      const key = newKey();
      expect(await under.store.stat(key, signal)).toBeUndefined();
      await expect(get(key)).rejects.toMatchObject({ code: "not-found" });
      await expect(get(key, 0, 1)).rejects.toMatchObject({ code: "not-found" });
    });

    test("refuses keys that could leave its place", async () => {
      for (const key of [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        ".hidden",
        "a/.b",
        "",
        "a\0b",
        "a/",
        "ä",
      ]) {
        await expect(under.store.stat(key, signal)).rejects.toMatchObject({ code: "invalid-input" });
        await expect(get(key)).rejects.toMatchObject({ code: "invalid-input" });
      }
    });

    test("ends with the signal's reason when it is cancelled", async () => {
      const key = newKey();
      await put(key, patternBytes(longBytes));
      const gone = AbortSignal.abort(new Error("given up"));
      await expect(under.store.stat(key, gone)).rejects.toThrow("given up");
      await expect(collect(under.store.read(key, undefined, gone), longBytes)).rejects.toThrow("given up");
      const controller = new AbortController();
      const reading = async () => {
        for await (const piece of under.store.read(key, undefined, controller.signal)) {
          expect(piece.length).toBeGreaterThan(0);
          controller.abort(new Error("enough"));
        }
      };
      await expect(reading()).rejects.toThrow("enough");
    });

    test("lets a reader stop early and another go on", async () => {
      const bytes = patternBytes(longBytes);
      const key = newKey();
      await put(key, bytes);
      for await (const piece of under.store.read(key, undefined, signal)) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      expect((await get(key)).equals(bytes)).toBe(true);
    });

    test("says what it cannot do", async () => {
      if (under.lacks === undefined) return;
      const key = newKey();
      for (const missing of under.lacks) {
        const asked =
          missing === "put"
            ? under.store.put(key, bytesContent(Buffer.from("x")), { signal })
            : collectKeys(under.store, "", signal);
        await expect(asked).rejects.toMatchObject({ code: "unsupported" });
      }
    });

    test("never replaces an object", async () => {
      if (!mustPut()) return;
      const key = newKey();
      expect(await put(key, Buffer.from("first"))).toBe("created");
      expect(await put(key, Buffer.from("second"))).toBe("exists");
      expect((await get(key)).toString()).toBe("first");
    });

    test("lets exactly one of many writers of one key create it", async () => {
      if (!mustPut()) return;
      const key = newKey("names");
      const contents = Array.from({ length: 8 }, (_, index) => Buffer.from(`writer ${index}`));
      const results = await Promise.all(contents.map((bytes) => put(key, bytes)));
      expect(results.filter((result) => result === "created")).toHaveLength(1);
      expect((await get(key)).toString()).toBe(contents[results.indexOf("created")]?.toString());
    });

    test("stores a long object whole and tells how far it is", async () => {
      if (!mustPut()) return;
      const bytes = patternBytes(longBytes);
      const key = newKey();
      const progress: number[] = [];
      const onProgress = (done: number) => void progress.push(done);
      expect(await under.writer.put(key, bytesContent(bytes), { signal, onProgress })).toBe("created");
      expect((await get(key)).equals(bytes)).toBe(true);
      expect(progress.at(-1)).toBe(longBytes);
    });

    test("has nothing of an object whose content breaks off", async () => {
      if (!mustPut()) return;
      const key = newKey();
      const broken: ObjectContent = {
        sizeBytes: longBytes,
        async *open({ offsetBytes, lengthBytes }) {
          if (offsetBytes + lengthBytes < longBytes) yield patternBytes(lengthBytes);
          else {
            yield patternBytes(Math.min(1000, lengthBytes - 1));
            throw new Error("the source broke");
          }
        },
      };
      await expect(under.writer.put(key, broken, { signal })).rejects.toThrow("the source broke");
      expect(await under.store.stat(key, signal)).toBeUndefined();
      expect(await put(key, patternBytes(longBytes))).toBe("created");
      expect((await get(key)).equals(patternBytes(longBytes))).toBe(true);
    });

    test("lists what starts with a prefix, and forgets what is deleted", async () => {
      if (!mustPut()) return;
      const folder = `manifests/list${keys}`;
      const wanted = Array.from({ length: 12 }, () => newKey(folder));
      for (const key of wanted) await put(key, Buffer.from(key));
      expect(await collectKeys(under.store, `${folder}/`, signal)).toEqual([...wanted].sort());
      const [first = ""] = wanted;
      await under.store.delete(first, signal);
      await under.store.delete(first, signal);
      expect(await under.store.stat(first, signal)).toBeUndefined();
      expect(await collectKeys(under.store, folder, signal)).toEqual(wanted.slice(1).sort());
      expect(await put(first, Buffer.from("again"))).toBe("created");
    });
  });
}

async function collectKeys(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal)) keys.push(key);
  return keys.sort();
}
