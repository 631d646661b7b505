import type { GuestCommand } from "./command.ts";
import type { CommandRequest, FileRequest, GuestDial, GuestIdentity } from "./message.ts";

/** One conversation with the program inside a guest. Many commands run at once on it. */
export interface GuestChannel {
  /** Resolves with an answer that was made inside the guest. */
  ping(): Promise<void>;
  /** Renews what must not be equal in two copies of a guest. Once, if it is what the conversation began with. */
  renewIdentity(identity: GuestIdentity): Promise<RenewedIdentity>;
  run(request: CommandRequest): GuestCommand;
  /** Writes standard input to a file of the image: complete when it exits with 0, else unchanged. */
  putFile(path: string, options: Omit<FileRequest, "arguments">): GuestCommand;
  /** A file of the image as standard output. */
  getFile(path: string, options?: Pick<FileRequest, "user">): GuestCommand;
  /** Looks at or changes entries of directories, packs and unpacks: what files.ts and copy-files.ts ask for. */
  manageFiles(request: FileRequest): GuestCommand;
  /** Connects to a server at a TCP port of the guest's 127.0.0.1: its input and output are the command's. */
  connect(port: number): GuestCommand;
  /** From here on this conversation carries the guest's own connections; the last one to say so does. */
  serveNetwork(service: GuestNetworkService): void;
  /** Asks the guest to write its disk back and end; the machine ends soon after. */
  shutDown(): void;
  /** Commands that were not started with `keep` are killed by the guest soon after. */
  close(): void;
  /** Resolves when the conversation is over, whoever ended it. */
  readonly closed: Promise<void>;
}

export interface GuestNetworkService {
  /** A program of the guest has connected. `cancel` of the connection refuses it, also later. */
  dial(to: GuestDial, connection: GuestCommand): void;
  /** Returns a DNS message with a DNS message; undefined for no answer. */
  resolve(question: Buffer): Promise<Buffer | undefined>;
}

export interface RenewedIdentity {
  /** What could not be done, one text each. */
  readonly problems: readonly string[];
  /** Programs of the image that renew what lives in processes: the caller runs them. */
  readonly hooks: readonly string[];
}
