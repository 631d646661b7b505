import { expect, test } from "vitest";
import { type DiskFile, TypedDocument } from "../../src/lsp/typed-document.ts";

/** A file that is written at will. */
class FakeDisk implements DiskFile {
  #bytes: Buffer | undefined;
  #writes = 0;

  constructor(text?: string | Buffer) {
    if (text !== undefined) this.write(text);
  }

  write(text: string | Buffer): void {
    this.#bytes = Buffer.from(text);
    this.#writes += 1;
  }

  mark = () => String(this.#writes);
  bytes = () => this.#bytes;
}

function opened(text: string, onDisk: string | Buffer | undefined = text, reopens = false) {
  const disk = new FakeDisk(onDisk);
  const document = new TypedDocument(text, disk, { reopens });
  const steps = (made: ReturnType<TypedDocument["save"]>) =>
    made
      .map((step) => (step.kind === "look" && step.text !== undefined ? `look ${step.text}` : step.kind))
      .join();
  return {
    disk,
    document,
    change: (to: string) => steps(document.change(to, disk)),
    save: (to: string) => {
      disk.write(to);
      return steps(document.save(disk));
    },
    told: () => steps(document.save(disk)),
  };
}

test("typing takes a look first and is credited at the save, each time", () => {
  const { change, save } = opened("a\n");
  expect([change("a\nb\n"), change("a\nbc\n"), save("a\nbc\n")]).toEqual(["look", "", "save"]);
  expect([change("a\n"), save("a\n")]).toEqual(["look", "save"]);
});

test("a save of a document that nobody changed says nothing", () => {
  expect(opened("a\n").save("a\n")).toBe("");
});

test("a new file begins empty", () => {
  const { change, save } = opened("", undefined);
  expect([change("x\n"), save("x\n")]).toEqual(["look", "save"]);
});

test("what was read again from disk is not typed", () => {
  const { change, disk, save } = opened("a\n");
  disk.write("by a program\n");
  expect([change("by a program\n"), save("by a program\n")]).toEqual(["", ""]);
  expect(change("by a program\nmine\n")).toBe("look");
});

test("a file that was written under a changed document makes its next save say nothing", () => {
  const { change, disk, save } = opened("a\n");
  expect(change("a\nmine\n")).toBe("look");
  disk.write("by a program\n");
  expect(change("a\nmine too\n")).toBe("");
  expect(save("a\nmine too\n")).toBe("look");
  expect([change("a\nagain\n"), save("a\nagain\n")]).toEqual(["look", "save"]);
});

test("a document that was opened with unsaved text says nothing at its first save", () => {
  const { change, save } = opened("restored\n", "on disk\n");
  expect([change("restored\nmore\n"), save("restored\nmore\n")]).toEqual(["", "look"]);
});

test("a program's change to the document is not typed", () => {
  const { change, document, save } = opened("a\n");
  document.changeByProgram();
  expect([change("made\n"), save("made\n")]).toEqual(["", "look"]);
});

test("typing goes on before the save is told", () => {
  const { change, disk, told } = opened("a\n");
  expect(change("ab\n")).toBe("look");
  disk.write("ab\n");
  expect(change("abc\n")).toBe("save,look");
  expect(told()).toBe("");
  disk.write("abc\n");
  expect(told()).toBe("save");
});

test.each([
  [true, "look a\n,save"],
  [false, ""],
])("a save that is told before its changes (known of the editor: %s)", (reopens, expected) => {
  const { change, save } = opened("a\n", "a\n", reopens);
  expect([save("ab\n"), change("ab\n")]).toEqual(["", expected]);
});

test.each([
  [true, ["look a\n", "save"]],
  [false, ["", ""]],
])(
  "a change that the file holds already (the editor reopens what it reads again: %s)",
  (reopens, expected) => {
    const { change, disk, told } = opened("a\n", "a\n", reopens);
    disk.write("ab\n");
    expect([change("ab\n"), told()]).toEqual(expected);
  },
);

test("a save that was told early and that somebody wrote over is nobody's", () => {
  const { change, disk, save } = opened("a\n", "a\n", true);
  expect(save("ab\n")).toBe("");
  disk.write("by a program\n");
  expect([change("ab\n"), save("ab\n")]).toEqual(["", "look"]);
});

test.each([
  ["line ends of Windows", "a\r\nb\r\n", "a\nb\n"],
  ["a byte order mark", "\ufeffa\n", "a\n"],
])("%s do not make a document differ from its file", (_, onDisk, text) => {
  expect(opened(text, onDisk).change(`${text}more\n`)).toBe("look");
});

test("a file in another encoding is not compared, and its save says nothing", () => {
  const { change, save } = opened("ä\n", Buffer.from("ä\n", "latin1"));
  expect([change("äö\n"), save("äö\n")]).toEqual(["", "look"]);
});
