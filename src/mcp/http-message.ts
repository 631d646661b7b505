import type { AskContext } from "../workflows/ask/ask-context.ts";
import {
  answerMessage,
  failure,
  handshakeVersions,
  parseRpcRequest,
  type RpcRequest,
  type RpcResponse,
  refuseStateless,
  rpcCodes,
  versionOf,
} from "./message.ts";

/** Headers of a request, names in lower case. */
export type McpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a POST is answered with; without a body, the message was a notification. */
export interface HttpAnswer {
  readonly status: number;
  readonly body?: RpcResponse;
}

/** Returns the body of one POST: what the headers say about the message must be true, so that a proxy may trust them. */
export async function answerHttpMessage(
  context: AskContext,
  headers: McpHeaders,
  body: string,
): Promise<HttpAnswer> {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return { status: 400, body: failure(null, rpcCodes.parse, "not JSON") };
  }
  const request = parseRpcRequest(message);
  const refused = request === undefined ? undefined : refuseHeaders(headers, request);
  if (refused !== undefined) return { status: 400, body: refused };
  const response = await answerMessage(context, message);
  return response === undefined ? { status: 202 } : { status: statusOf(response, request), body: response };
}

/** The handshake generation has one header, the version; the stateless one repeats method and name as well. */
function refuseHeaders(headers: McpHeaders, { id, method, params }: RpcRequest): RpcResponse | undefined {
  const said = textOf(headers, "mcp-protocol-version");
  const version = versionOf(params);
  if (version === undefined && (said === undefined || handshakeVersions.includes(said))) return undefined;
  if (id === undefined) return undefined;
  if (version !== undefined && version !== said) return mismatch(id, "MCP-Protocol-Version");
  const lacking = refuseStateless(id, params, version);
  if (lacking !== undefined) return lacking;
  if (textOf(headers, "mcp-method") !== method) return mismatch(id, "Mcp-Method");
  if (method === "tools/call" && textOf(headers, "mcp-name") !== params["name"])
    return mismatch(id, "Mcp-Name");
  return undefined;
}

function mismatch(id: string | number, header: string): RpcResponse {
  return failure(id, rpcCodes.headerMismatch, `the header ${header} does not say what the message says`);
}

function textOf(headers: McpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value.trim() : undefined;
}

/** The handshake generation puts every answer into a 200; the stateless one has a status for those to the protocol. */
function statusOf(response: RpcResponse, request: RpcRequest | undefined): number {
  if (request === undefined) return 400;
  if (!("error" in response) || versionOf(request.params) === undefined) return 200;
  return response.error.code === rpcCodes.noMethod ? 404 : 400;
}
