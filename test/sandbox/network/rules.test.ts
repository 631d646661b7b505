import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeDnsAnswer, parseDnsQuestion } from "../../../src/sandbox/network/dns-message.ts";
import { mayConnect, mayResolve, parseNetworkRule } from "../../../src/sandbox/network/rules.ts";

const rules = (...texts: string[]) => texts.map(parseNetworkRule);
const own = ["93.184.215.1"];

describe("what a guest may reach", () => {
  test.each([
    // rules, address, port, names by which it was found, allowed
    [["public"], "93.184.216.34", 443, [], true],
    [["public:443"], "93.184.216.34", 80, [], false],
    [["public"], "93.184.215.1", 443, [], false],
    [["93.184.215.1"], "93.184.215.1", 443, [], true],
    [["example.com"], "93.184.216.34", 443, ["example.com"], true],
    [["example.com"], "93.184.216.34", 443, ["www.example.com"], false],
    [["example.com:443"], "93.184.216.34", 80, ["example.com"], false],
    [["example.com"], "93.184.216.34", 443, [], false],
    [["*.example.com"], "93.184.216.34", 443, ["a.b.example.com"], true],
    [["*.example.com"], "93.184.216.34", 443, ["example.com"], false],
    [["*.example.com"], "93.184.216.34", 443, ["evilexample.com"], false],
    [["EXAMPLE.com."], "93.184.216.34", 443, ["example.com"], true],
    // a name whose owner points it at this machine or its network
    [["example.com"], "127.0.0.1", 443, ["example.com"], false],
    [["example.com"], "169.254.169.254", 80, ["example.com"], false],
    [["example.com"], "10.0.0.1", 80, ["example.com"], false],
    [["example.com", "10.0.0.0/24:80"], "10.0.0.1", 80, ["example.com"], true],
    [["10.0.0.0/24:80"], "10.0.1.1", 80, [], false],
    [["10.0.0.77/24"], "10.0.0.1", 1, [], true],
    [["0.0.0.0/0"], "127.0.0.1", 22, [], true],
    [[], "93.184.216.34", 443, ["example.com"], false],
    [["public"], "no address", 443, [], false],
  ] as const)("%j and %s:%i by %j: %s", (texts, address, port, names, allowed) => {
    expect(mayConnect(rules(...texts), { address, port, names }, own)).toBe(allowed);
  });

  test.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "255.255.255.255",
  ])("public does not mean %s", (address) => {
    expect(mayConnect(rules("public"), { address, port: 80, names: [] }, own)).toBe(false);
  });

  test.each(["172.15.0.1", "172.32.0.1", "11.0.0.1", "198.17.255.255", "223.255.255.255", "1.1.1.1"])(
    "public means %s",
    (address) => {
      expect(mayConnect(rules("public"), { address, port: 80, names: [] }, own)).toBe(true);
    },
  );

  test("only names of the rules are looked up, all of them where the public is allowed", () => {
    expect(mayResolve(rules("example.com:443", "*.debian.org"), "example.com")).toBe(true);
    expect(mayResolve(rules("example.com:443", "*.debian.org"), "deb.debian.org")).toBe(true);
    expect(mayResolve(rules("example.com:443", "*.debian.org"), "secret.attacker.example")).toBe(false);
    expect(mayResolve(rules("10.0.0.0/8"), "example.com")).toBe(false);
    expect(mayResolve(rules("public:443"), "anything.example")).toBe(true);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "10.0.0.0/33",
    "a..b",
    "a b",
    "x:0",
    "x:65536",
    "x:y",
    "::1",
    "*",
    "a.*.b",
  ])("%j is no rule", (text) => {
    expect(() => parseNetworkRule(text)).toThrow(/does not say what a guest may reach/);
  });
});

describe("the name server's messages", () => {
  const question = (name: string, type = 1) =>
    Buffer.concat([
      Buffer.from([0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      ...name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
      Buffer.from([0, 0, type, 0, 1]),
    ]);

  test("a question is read, and its answer repeats it and carries the addresses", () => {
    const asked = question("Deb.Debian.org");
    expect(parseDnsQuestion(asked)).toEqual({ name: "deb.debian.org", wantsAddress: true });
    const answer = encodeDnsAnswer(asked, "found", ["1.2.3.4", "5.6.7.8"]);
    expect(answer.subarray(0, 8).toString("hex")).toBe("abcd818000010002");
    expect(answer.subarray(12, asked.length).equals(asked.subarray(12))).toBe(true);
    expect([...answer.subarray(-4)]).toEqual([5, 6, 7, 8]);
    expect([...answer.subarray(-20, -16)]).toEqual([1, 2, 3, 4]);
    expect(answer.length).toBe(asked.length + 32);
    expect(parseDnsQuestion(answer)).toBeUndefined();
  });

  test("another kind of record is no address, and results have their numbers", () => {
    expect(parseDnsQuestion(question("a.b", 28))).toEqual({ name: "a.b", wantsAddress: false });
    expect(encodeDnsAnswer(question("a.b"), "refused", []).readUInt8(3) & 15).toBe(5);
    expect(encodeDnsAnswer(question("a.b"), "no such name", []).readUInt8(3) & 15).toBe(3);
  });

  test("an answer fits one datagram however many addresses there are", () => {
    const many = Array.from({ length: 300 }, (_, index) => `1.2.3.${index % 256}`);
    const answer = encodeDnsAnswer(question("x".repeat(63)), "found", many);
    expect(answer.length).toBeLessThanOrEqual(512);
  });

  test("any bytes are read or not understood, never a crash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const parsed = parseDnsQuestion(Buffer.from(bytes));
        if (parsed !== undefined) encodeDnsAnswer(Buffer.from(bytes), "failed", []);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
        parseDnsQuestion(Buffer.concat([question("a").subarray(0, 12), tail]));
      }),
    );
  });
});
