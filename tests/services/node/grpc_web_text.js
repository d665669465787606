// SPDX-License-Identifier: Apache-2.0
// Browsers' gRPC-Web client, which writes and wants base64, on XMLHttpRequest: waits for a line, calls the methods that it is
// given at the port, and waits for another.
const readline = require('node:readline');
global.XMLHttpRequest = require('xhr2');
const { GrpcWebClientBase, MethodDescriptor, MethodType } = require('grpc-web');

const [methods, port] = process.argv.slice(2);
const client = new GrpcWebClientBase({ format: 'text' });

function call(name) {
  const path = `/depot.Board/${name}`;
  const method = new MethodDescriptor(path, MethodType.UNARY, Uint8Array, Uint8Array, (bytes) => bytes, (bytes) => bytes);
  return new Promise((resolve) => client.rpcCall(`http://127.0.0.1:${port}${path}`, new Uint8Array([1, 2, 3, 4]), {}, method, resolve));
}

(async () => {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await lines.next();
  for (const name of methods.split(',')) {
    const error = await call(name);
    console.log(name, error ? error.code : 0);
  }
  console.log('done');
  await lines.next();
  process.exit(0);
})();
