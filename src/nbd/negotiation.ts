import { factsOf, type NbdExport } from "./export.ts";
import { maxNameBytes, maxRequestBytes } from "./limits.ts";
import {
  encodeBlockSizeInfo,
  encodeExportInfo,
  encodeExportNameAnswer,
  encodeListedExport,
  encodeMetaContext,
  encodeOptionReply,
  encodeTextInfo,
  parseInfoRequest,
  parseMetaContextRequest,
} from "./option-codec.ts";
import { handshakeFlags, infoTypes, optionReplies, options } from "./protocol.ts";

export interface NegotiationConfig {
  readonly exports: readonly NbdExport[];
  /** "required" refuses all but STARTTLS, ABORT and what the protocol allows before it. */
  readonly tls: "off" | "required";
}

/** What client and server agreed on. */
export interface Agreement {
  readonly export: NbdExport;
  readonly structuredReplies: boolean;
  /** The client asked for base:allocation on this export. */
  readonly blockStatus: boolean;
}

/** Send `replies`, then do `next`. */
export interface NegotiationStep {
  readonly replies: readonly Buffer[];
  readonly next: "continue" | "start-tls" | "close" | Agreement;
}

/** The option phase of one connection as a machine without I/O: each option in, what to do out. */
export interface Negotiation {
  /** Undefined if the server must go on; a client with unknown flags is closed. */
  clientFlags(flags: number): NegotiationStep;
  option(option: number, data: Buffer): NegotiationStep;
  /** An option whose data was too long to keep. */
  oversizedOption(option: number): NegotiationStep;
  /** TLS is up; what was agreed before no longer counts. */
  secured(): void;
}

export const baseAllocation = "base:allocation";
export const baseAllocationId = 1;

export function createNegotiation(config: NegotiationConfig): Negotiation {
  return new OptionPhase(config);
}

class OptionPhase implements Negotiation {
  readonly #config: NegotiationConfig;
  #noZeroes = false;
  #secure: boolean;
  #structuredReplies = false;
  /** The export that the client may ask base:allocation of. */
  #contextFor: string | undefined;

  constructor(config: NegotiationConfig) {
    this.#config = config;
    this.#secure = config.tls === "off";
  }

  clientFlags(flags: number): NegotiationStep {
    const known = handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes;
    this.#noZeroes = (flags & handshakeFlags.noZeroes) !== 0;
    const fits = (flags & ~known) === 0 && (flags & handshakeFlags.fixedNewstyle) !== 0;
    return fits ? goOn() : close();
  }

  option(option: number, data: Buffer): NegotiationStep {
    if (option === options.abort) return close(encodeOptionReply(option, optionReplies.ack));
    if (option === options.startTls) return this.#startTls(data);
    if (!this.#secure) {
      // this option has no way to say no
      if (option === options.exportName) return close();
      return refuse(option, optionReplies.tlsRequired, "use STARTTLS first");
    }
    switch (option) {
      case options.exportName:
        return this.#exportName(data);
      case options.list:
        return this.#list(data);
      case options.info:
      case options.go:
        return this.#infoOrGo(option, data);
      case options.structuredReply:
        if (data.length > 0) return refuse(option, optionReplies.invalid, "STRUCTURED_REPLY takes no data");
        this.#structuredReplies = true;
        return goOn(encodeOptionReply(option, optionReplies.ack));
      case options.listMetaContext:
      case options.setMetaContext:
        return this.#metaContext(option, data);
      default:
        return refuse(option, optionReplies.unsupported, "this option is not known here");
    }
  }

  oversizedOption(option: number): NegotiationStep {
    if (option === options.exportName) return close();
    return refuse(option, optionReplies.tooBig, "too much data");
  }

  secured(): void {
    this.#secure = true;
    this.#structuredReplies = false;
    this.#contextFor = undefined;
  }

  #startTls(data: Buffer): NegotiationStep {
    const option = options.startTls;
    if (data.length > 0) return refuse(option, optionReplies.invalid, "STARTTLS takes no data");
    if (this.#config.tls === "off")
      return refuse(option, optionReplies.unsupported, "this server has no certificate");
    if (this.#secure) return refuse(option, optionReplies.invalid, "TLS is on already");
    return { replies: [encodeOptionReply(option, optionReplies.ack)], next: "start-tls" };
  }

  #exportName(data: Buffer): NegotiationStep {
    const chosen = this.#findExport(data.toString("utf8"));
    if (chosen === undefined) return close();
    return {
      replies: [encodeExportNameAnswer(factsOf(chosen), this.#noZeroes)],
      next: this.#agree(chosen),
    };
  }

  #list(data: Buffer): NegotiationStep {
    const option = options.list;
    if (data.length > 0) return refuse(option, optionReplies.invalid, "LIST takes no data");
    const names = this.#config.exports.map(({ name }) =>
      encodeOptionReply(option, optionReplies.server, encodeListedExport(name)),
    );
    return goOn(...names, encodeOptionReply(option, optionReplies.ack));
  }

  #infoOrGo(option: number, data: Buffer): NegotiationStep {
    const request = parseInfoRequest(data);
    if (request === undefined) return refuse(option, optionReplies.invalid, "malformed request");
    const chosen = this.#findExport(request.name);
    if (chosen === undefined) return refuseExport(option);
    const infos = infosOf(chosen, request.wishes).map((info) =>
      encodeOptionReply(option, optionReplies.info, info),
    );
    const replies = [...infos, encodeOptionReply(option, optionReplies.ack)];
    return { replies, next: option === options.go ? this.#agree(chosen) : "continue" };
  }

  #metaContext(option: number, data: Buffer): NegotiationStep {
    if (!this.#structuredReplies)
      return refuse(option, optionReplies.invalid, "ask for structured replies first");
    const request = parseMetaContextRequest(data);
    if (request === undefined) return refuse(option, optionReplies.invalid, "malformed request");
    const chosen = this.#findExport(request.name);
    if (chosen === undefined) return refuseExport(option);
    const setting = option === options.setMetaContext;
    const found = matchesBaseAllocation(request.queries, setting);
    if (setting) this.#contextFor = found ? chosen.name : undefined;
    const context = encodeMetaContext(setting ? baseAllocationId : 0, baseAllocation);
    const replies = found ? [encodeOptionReply(option, optionReplies.metaContext, context)] : [];
    return goOn(...replies, encodeOptionReply(option, optionReplies.ack));
  }

  #agree(chosen: NbdExport): Agreement {
    return {
      export: chosen,
      structuredReplies: this.#structuredReplies,
      blockStatus: this.#contextFor === chosen.name,
    };
  }

  /** The empty name is the default export. */
  #findExport(name: string): NbdExport | undefined {
    if (Buffer.byteLength(name) > maxNameBytes) return undefined;
    const { exports } = this.#config;
    return exports.find((one) => one.name === name) ?? (name === "" ? exports[0] : undefined);
  }
}

function goOn(...replies: Buffer[]): NegotiationStep {
  return { replies, next: "continue" };
}

function close(...replies: Buffer[]): NegotiationStep {
  return { replies, next: "close" };
}

function refuse(option: number, type: number, why: string): NegotiationStep {
  return goOn(encodeOptionReply(option, type, Buffer.from(why)));
}

function refuseExport(option: number): NegotiationStep {
  return refuse(option, optionReplies.unknownExport, "there is no export of that name");
}

function infosOf(chosen: NbdExport, wishes: readonly number[]): Buffer[] {
  const facts = factsOf(chosen);
  const infos = [encodeExportInfo(facts), encodeBlockSizeInfo(facts.blockSizeBytes, maxRequestBytes)];
  if (wishes.includes(infoTypes.name)) infos.push(encodeTextInfo(infoTypes.name, chosen.name));
  if (wishes.includes(infoTypes.description) && chosen.description !== undefined) {
    infos.push(encodeTextInfo(infoTypes.description, chosen.description));
  }
  return infos;
}

/** LIST without a query means all, and `base:` the whole namespace; SET takes exact names only. */
function matchesBaseAllocation(queries: readonly string[], setting: boolean): boolean {
  if (!setting && (queries.length === 0 || queries.includes("base:"))) return true;
  return queries.includes(baseAllocation);
}
