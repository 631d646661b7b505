// Covers src/blocks/stores/**.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { bytesContent, collect } from "../../../src/blocks/stores/interface/object-content.ts";
import type { ObjectStore } from "../../../src/blocks/stores/interface/object-store.ts";
import { withRetry } from "../../../src/blocks/stores/interface/with-retry.ts";
import { createMemoryStore } from "../../../src/blocks/stores/memory-store.ts";
import { parseIniSection, readAwsSettings } from "../../../src/blocks/stores/s3/aws-settings.ts";
import { parseS3Location } from "../../../src/blocks/stores/s3/s3-location.ts";
import { createPager, elements, elementText } from "../../../src/blocks/stores/s3/s3-xml.ts";
import { withCache } from "../../../src/blocks/stores/with-cache.ts";
import { withConcurrencyLimit } from "../../../src/blocks/stores/with-concurrency-limit.ts";
import { createFakeClock } from "../../../src/system/clock.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { createFakeRandom } from "../../../src/system/random.ts";
import { neverAborted as signal } from "../../support/image-repository.ts";
import { patternBytes } from "../../support/memory-image.ts";
import { scratchFolder } from "../../support/scratch.ts";

const key = `layers/aa/${"a".repeat(64)}`;
const read = (store: ObjectStore, offsetBytes?: number, lengthBytes?: number) =>
  collect(
    store.read(
      key,
      offsetBytes === undefined || lengthBytes === undefined ? undefined : { offsetBytes, lengthBytes },
      signal,
    ),
    10_000_000,
  );

/** A clock whose sleeps pass at once and are counted. */
function hastyClock() {
  const clock = createFakeClock();
  const sleeps: number[] = [];
  return {
    clock: {
      ...clock,
      sleep: async (delayMs: number) => {
        sleeps.push(delayMs);
        clock.advance(delayMs);
      },
    },
    sleeps,
  };
}

const policy = { deadlineMs: 10_000, firstDelayMs: 100, maxDelayMs: 2000 };

test("a stream that breaks off goes on where it broke: no byte is read twice", async () => {
  const bytes = patternBytes(1_000_000);
  const delivered: number[] = [];
  let breaks = 3;
  const { clock } = hastyClock();
  const inner = createMemoryStore({
    clock,
    pieceBytes: 100_000,
    faults: {
      onPiece: ({ offsetBytes, piece }) => {
        if (breaks > 0 && offsetBytes >= 300_000) {
          breaks -= 1;
          delivered.push(offsetBytes);
          return piece.subarray(0, 777);
        }
        delivered.push(offsetBytes);
        return piece;
      },
    },
  });
  const store = withRetry(inner, { policy, clock, random: createFakeRandom() });
  await store.put(key, bytesContent(bytes), { signal });
  expect((await read(store)).equals(bytes)).toBe(true);
  expect(new Set(delivered).size).toBe(delivered.length);
});

test("retries wait longer each time, with jitter, and end at the deadline with the last error", async () => {
  const { clock, sleeps } = hastyClock();
  let calls = 0;
  const inner = createMemoryStore({
    clock,
    faults: {
      beforeCall: () => {
        calls += 1;
        throw new KeyframeError("store-unavailable", `failure ${calls}`);
      },
    },
  });
  const store = withRetry(inner, { policy, clock, random: createFakeRandom(5) });
  await expect(store.stat(key, signal)).rejects.toThrow(`failure`);
  expect(sleeps.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(policy.deadlineMs);
  expect(calls).toBe(sleeps.length + 1);
  sleeps.forEach((delay, index) => {
    const ceiling = Math.min(policy.firstDelayMs * 2 ** index, policy.maxDelayMs);
    expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
    expect(delay).toBeLessThanOrEqual(ceiling);
  });
  expect(new Set(sleeps).size).toBe(sleeps.length);
});

test.each(["not-found", "permission-denied", "damaged", "invalid-input"] as const)(
  "`%s` is not tried again",
  async (code) => {
    const { clock, sleeps } = hastyClock();
    const inner = createMemoryStore({
      clock,
      faults: {
        beforeCall: () => {
          throw new KeyframeError(code, "no");
        },
      },
    });
    const store = withRetry(inner, { policy, clock, random: createFakeRandom() });
    await expect(store.stat(key, signal)).rejects.toMatchObject({ code });
    await expect(store.put(key, bytesContent(Buffer.from("x")), { signal })).rejects.toMatchObject({ code });
    expect(sleeps).toEqual([]);
  },
);

test("a waiting retry ends with the signal", async () => {
  const clock = createFakeClock();
  const inner = createMemoryStore({
    clock,
    faults: {
      beforeCall: () => {
        throw new KeyframeError("store-unavailable", "no");
      },
    },
  });
  const store = withRetry(inner, { policy, clock, random: createFakeRandom() });
  const controller = new AbortController();
  const asked = store.stat(key, controller.signal);
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort(new Error("given up"));
  await expect(asked).rejects.toThrow("given up");
});

test("never more calls than the limit are under way, and a stream that is left gives its place back", async () => {
  const clock = createFakeClock();
  let underWay = 0;
  let most = 0;
  const inner = createMemoryStore({
    clock,
    pieceBytes: 1000,
    faults: {
      onPiece: async ({ piece }) => {
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return piece;
      },
    },
  });
  await inner.put(key, bytesContent(patternBytes(20_000)), { signal });
  const store = withConcurrencyLimit(inner, 3);
  await Promise.all(Array.from({ length: 20 }, () => read(store)));
  expect(most).toBe(3);
  for (let time = 0; time < 5; time += 1) {
    for await (const piece of store.read(key, undefined, signal)) {
      expect(piece).toHaveLength(1000);
      break;
    }
  }
  expect(await read(store)).toHaveLength(20_000);
  const held = [0, 1, 2].map(() => store.read(key, undefined, signal)[Symbol.asyncIterator]());
  for (const iterator of held) await iterator.next();
  const controller = new AbortController();
  const waiting = store.stat(key, controller.signal);
  controller.abort(new Error("no place"));
  await expect(waiting).rejects.toThrow("no place");
  for (const iterator of held) await iterator.return?.();
  expect(await store.stat(key, signal)).toMatchObject({ sizeBytes: 20_000 });
});

function countedCache(maxBytes = 1_000_000, folder = scratchFolder()) {
  const clock = createFakeClock();
  const reads: string[] = [];
  let broken = false;
  const inner = createMemoryStore({
    clock,
    faults: {
      beforeCall: ({ name, key: asked }) => void (name === "read" && reads.push(asked)),
      onPiece: ({ piece }) => (broken ? piece.subarray(0, 10) : piece),
    },
  });
  const store = withCache(inner, { files: nodeFiles, folder, maxBytes });
  return {
    inner,
    store,
    reads,
    folder,
    breakStreams: (value: boolean) => {
      broken = value;
    },
  };
}

test("what was read once is read from the folder, also by the next process", async () => {
  const { inner, store, reads, folder } = countedCache();
  await inner.put(key, bytesContent(patternBytes(50_000)), { signal });
  const first = await read(store, 100, 2000);
  expect((await read(store, 100, 2000)).equals(first)).toBe(true);
  expect(reads).toHaveLength(1);
  const next = withCache(inner, { files: nodeFiles, folder, maxBytes: 1_000_000 });
  expect((await read(next, 100, 2000)).equals(first)).toBe(true);
  expect(reads).toHaveLength(1);
});

test("a damaged or torn file of the cache is dropped and read from the store", async () => {
  const { inner, store, reads, folder } = countedCache();
  await inner.put(key, bytesContent(patternBytes(5000)), { signal });
  await read(store);
  const [name = ""] = readdirSync(folder);
  const good = readFileSync(join(folder, name));
  for (let at = 0; at < good.length; at += 101) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(folder, name), at % 2 === 0 ? bytes : good.subarray(0, at));
    reads.length = 0;
    expect((await read(store)).equals(patternBytes(5000))).toBe(true);
    expect(reads).toHaveLength(1);
  }
});

test("a stream that ends early leaves nothing in the cache that a later read could get", async () => {
  const { inner, store, breakStreams } = countedCache();
  await inner.put(key, bytesContent(patternBytes(5000)), { signal });
  const retried = withRetry(inner, {
    policy: { ...policy, deadlineMs: 0 },
    clock: createFakeClock(),
    random: createFakeRandom(),
  });
  const cached = withCache(retried, { files: nodeFiles, folder: scratchFolder(), maxBytes: 1_000_000 });
  breakStreams(true);
  await expect(read(cached, 0, 5000)).rejects.toMatchObject({ code: "store-unavailable" });
  await expect(read(cached, 0, 5000)).rejects.toMatchObject({ code: "store-unavailable" });
  breakStreams(false);
  expect((await read(cached, 0, 5000)).equals(patternBytes(5000))).toBe(true);
  for await (const piece of store.read(key, undefined, signal)) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  expect((await read(store)).equals(patternBytes(5000))).toBe(true);
});

test("what failed its check is forgotten and asked of the store again", async () => {
  const { inner, store, reads } = countedCache();
  await inner.put(key, bytesContent(patternBytes(5000)), { signal });
  await read(store, 0, 100);
  await read(store, 100, 100);
  store.forget?.(key);
  await read(store, 0, 100);
  expect(reads).toHaveLength(3);
});

test("the folder stays below its limit, the least recently used goes first, and what is being read stays", async () => {
  const { inner, store, reads, folder } = countedCache(10_000);
  await inner.put(key, bytesContent(patternBytes(100_000)), { signal });
  const size = () =>
    readdirSync(folder).reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
  for (let index = 0; index < 30; index += 1) {
    await read(store, index * 2000, 2000);
    await read(store, 0, 2000);
    expect(size()).toBeLessThanOrEqual(10_000);
  }
  reads.length = 0;
  await read(store, 0, 2000);
  expect(reads).toEqual([]);
  const held = store.read(key, { offsetBytes: 0, lengthBytes: 2000 }, signal)[Symbol.asyncIterator]();
  await held.next();
  for (let index = 10; index < 30; index += 1) await read(store, index * 2000, 2000);
  await read(store, 0, 2000);
  expect(reads.length).toBeGreaterThan(0);
  reads.length = 0;
  await read(store, 0, 2000);
  expect(reads).toEqual([]);
  await held.return?.();
  expect(size()).toBeLessThanOrEqual(10_000);
});

test("names, which could change, are never cached", async () => {
  const { inner, store, reads } = countedCache();
  await inner.put("names/base", bytesContent(Buffer.from("one")), { signal });
  for (let time = 0; time < 2; time += 1) await collect(store.read("names/base", undefined, signal), 100);
  expect(reads).toHaveLength(2);
});

test("credentials come from the environment, else from the profile's files", () => {
  const folder = scratchFolder();
  writeFileSync(
    join(folder, "credentials"),
    "[default]\naws_access_key_id = A\naws_secret_access_key=B\n[other]\naws_access_key_id=C\naws_secret_access_key = D = E \naws_session_token=F\n",
  );
  writeFileSync(
    join(folder, "config"),
    "[profile other]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n  s3 =\n    addressing_style = path\n# region = no\n",
  );
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    AWS_CONFIG_FILE: join(folder, "config"),
    HOME: folder,
  };
  expect(readAwsSettings(env, nodeFiles)).toEqual({
    credentials: { accessKeyId: "A", secretAccessKey: "B" },
    region: undefined,
    endpoint: undefined,
  });
  expect(readAwsSettings({ ...env, AWS_PROFILE: "other" }, nodeFiles)).toEqual({
    credentials: { accessKeyId: "C", secretAccessKey: "D = E", sessionToken: "F" },
    region: "eu-west-1",
    endpoint: "http://127.0.0.1:9",
  });
  const direct = {
    ...env,
    AWS_ACCESS_KEY_ID: "X",
    AWS_SECRET_ACCESS_KEY: "Y",
    AWS_REGION: "r",
    AWS_ENDPOINT_URL_S3: "http://h",
  };
  expect(readAwsSettings(direct, nodeFiles)).toEqual({
    credentials: { accessKeyId: "X", secretAccessKey: "Y" },
    region: "r",
    endpoint: "http://h",
  });
  expect(readAwsSettings({ HOME: join(folder, "none") }, nodeFiles).credentials).toBeUndefined();
  expect(parseIniSection("[a]\n__proto__=x\nk=v", "a")).toMatchObject({ k: "v" });
});

test.each([
  ["s3://bucket-1/a/b", "https://bucket-1.s3.us-east-1.amazonaws.com/", "a/b/"],
  ["s3://my.bucket", "https://s3.us-east-1.amazonaws.com/my.bucket/", ""],
  ["s3://bucket/x/?endpoint=http://127.0.0.1:80&region=default", "http://127.0.0.1:80/bucket/", "x/"],
])("%s is a bucket at %s", (text, bucketUrl, prefix) => {
  const settings = { credentials: undefined, region: undefined, endpoint: undefined };
  expect(parseS3Location(text, settings)).toMatchObject({ bucketUrl, prefix });
});

test.each([
  "s3://",
  "s3://UPPER_case!/x",
  "s3://bucket/a/../b/.x",
  "s3://bucket?endpoint=ftp://x",
  "s3://bucket?endpoint=http://u:p@x",
])("%s is no place for images", (text) => {
  const settings = { credentials: undefined, region: undefined, endpoint: undefined };
  expect(() => parseS3Location(text, settings)).toThrow();
});

test("texts of an S3 answer are unescaped, and an entity out of range is left alone", () => {
  const xml = "<L><C><Key>a&amp;b&#x41;&#66;&quot;</Key></C><C><Key>&#9999999;</Key></C><Key2>no</Key2></L>";
  expect(elements(xml, "C").map((each) => elementText(each, "Key"))).toEqual(['a&bAB"', "&#9999999;"]);
  expect(elementText(xml, "Missing")).toBe("");
});

test("elements that are opened a million times and not closed are looked at once", () => {
  const xml = `<Key>a</Key>${"<C>".repeat(1_000_000)}`;
  expect([elements(xml, "C"), elements(xml, "Key"), elements("<Cx>1</Cx><C a='b'>2</C>", "C")]).toEqual([
    [],
    ["a"],
    ["2"],
  ]);
});

test("a server whose list does not go on is an error, and so is one that never ends", () => {
  const page = (token: string) => `<IsTruncated>true</IsTruncated><Next>${token}</Next>`;
  const same = createPager({ token: "Next" });
  expect(same(page("1"))).toEqual({ token: "1" });
  expect(() => same(page("1"))).toThrow("goes round in a circle");
  const endless = createPager({ token: "Next" });
  expect(() => {
    for (let at = 0; ; at += 1) endless(page(String(at)));
  }).toThrow("goes round in a circle");
  expect(createPager({ token: "Next" })("<IsTruncated>false</IsTruncated>")).toBeUndefined();
});
