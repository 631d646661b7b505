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
  let noZeroes = false;
  let secure = config.tls === "off";
  let structuredReplies = false;
  let contextFor: string | undefined;

  function option(option: number, data: Buffer): NegotiationStep {
    const reply = (type: number, payload?: Buffer) => encodeOptionReply(option, type, payload);
    const goOn = (...replies: Buffer[]): NegotiationStep => ({ replies, next: "continue" });
    const refuse = (type: number, why: string) => goOn(reply(type, Buffer.from(why)));

    if (option === options.abort) return { replies: [reply(optionReplies.ack)], next: "close" };
    if (option === options.startTls) {
      if (data.length > 0) return refuse(optionReplies.invalid, "STARTTLS takes no data");
      if (config.tls === "off") return refuse(optionReplies.unsupported, "this server has no certificate");
      if (secure) return refuse(optionReplies.invalid, "TLS is on already");
      return { replies: [reply(optionReplies.ack)], next: "start-tls" };
    }
    if (!secure) {
      // this option has no way to say no
      if (option === options.exportName) return { replies: [], next: "close" };
      return refuse(optionReplies.tlsRequired, "use STARTTLS first");
    }

    switch (option) {
      case options.exportName: {
        const chosen = findExport(data.toString("utf8"));
        if (chosen === undefined) return { replies: [], next: "close" };
        return { replies: [encodeExportNameAnswer(factsOf(chosen), noZeroes)], next: agree(chosen) };
      }
      case options.list: {
        if (data.length > 0) return refuse(optionReplies.invalid, "LIST takes no data");
        const names = config.exports.map(({ name }) => reply(optionReplies.server, encodeListedExport(name)));
        return goOn(...names, reply(optionReplies.ack));
      }
      case options.info:
      case options.go: {
        const request = parseInfoRequest(data);
        if (request === undefined) return refuse(optionReplies.invalid, "malformed request");
        const chosen = findExport(request.name);
        if (chosen === undefined)
          return refuse(optionReplies.unknownExport, "there is no export of that name");
        const infos = infosOf(chosen, request.wishes).map((info) => reply(optionReplies.info, info));
        const replies = [...infos, reply(optionReplies.ack)];
        return { replies, next: option === options.go ? agree(chosen) : "continue" };
      }
      case options.structuredReply:
        if (data.length > 0) return refuse(optionReplies.invalid, "STRUCTURED_REPLY takes no data");
        structuredReplies = true;
        return goOn(reply(optionReplies.ack));
      case options.listMetaContext:
      case options.setMetaContext: {
        if (!structuredReplies) return refuse(optionReplies.invalid, "ask for structured replies first");
        const request = parseMetaContextRequest(data);
        if (request === undefined) return refuse(optionReplies.invalid, "malformed request");
        const chosen = findExport(request.name);
        if (chosen === undefined)
          return refuse(optionReplies.unknownExport, "there is no export of that name");
        const setting = option === options.setMetaContext;
        const found = matchesBaseAllocation(request.queries, setting);
        if (setting) contextFor = found ? chosen.name : undefined;
        const context = reply(
          optionReplies.metaContext,
          encodeMetaContext(setting ? baseAllocationId : 0, baseAllocation),
        );
        return goOn(...(found ? [context] : []), reply(optionReplies.ack));
      }
      default:
        return refuse(optionReplies.unsupported, "this option is not known here");
    }
  }

  function agree(chosen: NbdExport): Agreement {
    return { export: chosen, structuredReplies, blockStatus: contextFor === chosen.name };
  }

  /** The empty name is the default export. */
  function findExport(name: string): NbdExport | undefined {
    if (Buffer.byteLength(name) > maxNameBytes) return undefined;
    return config.exports.find((one) => one.name === name) ?? (name === "" ? config.exports[0] : undefined);
  }

  return {
    clientFlags(flags) {
      const known = handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes;
      noZeroes = (flags & handshakeFlags.noZeroes) !== 0;
      const fits = (flags & ~known) === 0 && (flags & handshakeFlags.fixedNewstyle) !== 0;
      return { replies: [], next: fits ? "continue" : "close" };
    },
    option,
    oversizedOption(option) {
      if (option === options.exportName) return { replies: [], next: "close" };
      return {
        replies: [encodeOptionReply(option, optionReplies.tooBig, Buffer.from("too much data"))],
        next: "continue",
      };
    },
    secured() {
      secure = true;
      structuredReplies = false;
      contextFor = undefined;
    },
  };
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
