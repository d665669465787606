// SPDX-License-Identifier: Apache-2.0
// gRPC-Web by Connect: "serve PORT 1.1|2"; "call PORT 1.1|2" waits for a line, makes a call of each outcome, and waits for another.
// NODE_PATH does not hold for modules: they are required.
import { createRequire } from "node:module";
import http from "node:http";
import http2 from "node:http2";
import readline from "node:readline";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_PATH, "any.js"));
const { BytesValue, MethodKind } = require("@bufbuild/protobuf");
const { Code, ConnectError, createPromiseClient } = require("@connectrpc/connect");
const { connectNodeAdapter, createGrpcWebTransport } = require("@connectrpc/connect-node");

const method = (name) => ({ name, I: BytesValue, O: BytesValue, kind: MethodKind.Unary });
const board = { typeName: "depot.Board", methods: { echo: method("Echo"), missing: method("Missing"), broken: method("Broken") } };
const [what, port, version] = process.argv.slice(2);

if (what === "serve") {
  const fail = (code) => () => { throw new ConnectError("no", code); };
  const routes = (router) => router.service(board, { echo: (request) => request, missing: fail(Code.NotFound), broken: fail(Code.Internal) });
  const create = version === "2" ? http2.createServer : http.createServer;
  create(connectNodeAdapter({ routes })).listen(Number(port), "127.0.0.1");
} else {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await lines.next();
  const client = createPromiseClient(board, createGrpcWebTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: version }));
  const call = (name, size) => client[name](new BytesValue({ value: new Uint8Array(size) })).catch(() => {});
  await call("echo", 5);
  await call("echo", 300);
  await call("missing", 1);
  await call("broken", 1);
  console.log("done");
  await lines.next();
  process.exit(0);
}
