import type { Duplex } from "node:stream";
import type { GuestNetworkService } from "../guest/channel.ts";
import type { GuestCommand } from "../guest/command.ts";
import type { GuestDial } from "../guest/message.ts";
import { maxGuestConnections } from "../limits.ts";
import { type DnsResult, encodeDnsAnswer, parseDnsQuestion } from "./dns-message.ts";
import { joinConnection } from "./join-connection.ts";
import { isName, mayConnect, mayResolve, type NetworkRule } from "./rules.ts";

/** The outside, as this machine's own programs have it. */
export interface OutsideNetwork {
  connect(target: { readonly address: string; readonly port: number }): Promise<Duplex>;
  /** IPv4 addresses; none for a name that does not exist. */
  resolve(name: string): Promise<readonly string[]>;
  ownAddresses(): readonly string[];
}

/** By this name and address a guest means the 127.0.0.1 of this machine; its own is its own. */
export const hostName = "host.keyframe.internal";
export const hostAlias = "198.18.0.1";

/** Addresses whose names are remembered. */
const maxKnownAddresses = 4096;

/** Names that are looked up for one guest at the same time. */
const maxLookUps = 64;

/**
 * Carries a guest's connections: every name and every address is judged here, outside of the guest. Says what it
 * refuses, each target once.
 */
export function createNetworkRelay(
  rules: readonly NetworkRule[],
  outside: OutsideNetwork,
  say: (text: string) => void,
): GuestNetworkService {
  const namesOf = new Map<string, Set<string>>();
  const said = new Set<string>();
  let open = 0;
  let lookUps = 0;
  let refreshing: Promise<unknown> | undefined;

  function refuse(what: string): void {
    if (said.has(what) || said.size >= maxKnownAddresses) return;
    said.add(what);
    say(`refused ${what}`);
  }

  async function lookUp(name: string): Promise<readonly string[]> {
    if (name === hostName) return [hostAlias];
    const addresses = await outside.resolve(name);
    for (const address of addresses) {
      const names = namesOf.get(address) ?? new Set();
      // the latest at the end: the longest unasked goes first
      namesOf.delete(address);
      namesOf.set(address, names.add(name));
    }
    for (const address of namesOf.keys()) {
      if (namesOf.size <= maxKnownAddresses) break;
      namesOf.delete(address);
    }
    return addresses;
  }

  async function isAllowed(address: string, port: number): Promise<boolean> {
    const judge = () =>
      mayConnect(rules, { address, port, names: namesOf.get(address) ?? [] }, outside.ownAddresses());
    if (judge()) return true;
    // the guest may know the address from before a fork, or from an earlier relay
    refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    });
    await refreshing;
    return judge();
  }

  async function refresh(): Promise<void> {
    for (const rule of rules) {
      if (rule.kind === "name" && !rule.below) await lookUp(rule.name).catch(() => []); // no name, no permission
    }
  }

  async function dial({ address, port }: GuestDial, connection: GuestCommand): Promise<void> {
    const real = address === hostAlias ? "127.0.0.1" : address;
    if (open >= maxGuestConnections) throw new Error(`more than ${maxGuestConnections} connections at once`);
    open += 1;
    try {
      if (!(await isAllowed(real, port))) {
        refuse(`a connection to ${real}:${port}`);
        connection.cancel();
        return;
      }
      await joinConnection(await outside.connect({ address: real, port }), connection);
    } finally {
      open -= 1;
    }
  }

  return {
    dial(to, connection) {
      // the guest sees a reset connection, whatever the reason
      dial(to, connection).catch(() => connection.cancel());
    },
    async resolve(message) {
      const question = parseDnsQuestion(message);
      if (question === undefined) return undefined;
      const { name } = question;
      const answer = (result: DnsResult, addresses: readonly string[] = []) =>
        encodeDnsAnswer(message, result, addresses);
      if (!isName(name) || (name !== hostName && !mayResolve(rules, name))) {
        refuse(`the name ${JSON.stringify(name)}`);
        return answer("refused");
      }
      // other records than IPv4 addresses: there are none, but the name may exist
      if (!question.wantsAddress) return answer("found");
      if (lookUps >= maxLookUps) return undefined; // the guest asks again
      lookUps += 1;
      try {
        const addresses = await lookUp(name);
        return addresses.length === 0 ? answer("no such name") : answer("found", addresses);
      } catch {
        return answer("failed"); // this machine's resolver has no answer
      } finally {
        lookUps -= 1;
      }
    },
  };
}
