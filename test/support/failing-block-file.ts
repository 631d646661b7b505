import { type OpenSparseFile, openNodeSparseFile } from "../../src/system/files/sparse-file.ts";

export interface FailingFiles {
  readonly open: OpenSparseFile;
  /** The named operations throw this error until it is set back to undefined. */
  failure: Error | undefined;
  readonly operations: Set<"write" | "sync" | "preallocate">;
}

/** Real files whose writes, syncs or allocations fail on demand. */
export function failingSparseFiles(...operations: ("write" | "sync" | "preallocate")[]): FailingFiles {
  const failing: FailingFiles = {
    failure: undefined,
    operations: new Set(operations),
    open(path, options) {
      const file = openNodeSparseFile(path, options);
      const check = (operation: "write" | "sync" | "preallocate") => {
        if (failing.failure !== undefined && failing.operations.has(operation)) throw failing.failure;
      };
      const fails: Partial<typeof file> = {
        writeSync(from, offset) {
          check("write");
          file.writeSync(from, offset);
        },
        async write(from, offset) {
          check("write");
          await file.write(from, offset);
        },
        async syncData() {
          check("sync");
          await file.syncData();
        },
        preallocate(range) {
          check("preallocate");
          return file.preallocate(range);
        },
      };
      return new Proxy(file, {
        get(target, key) {
          const value: unknown = Reflect.get(key in fails ? fails : target, key);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  return failing;
}
