// SPDX-License-Identifier: Apache-2.0
// Node's own https: port, certificate and key are its arguments.
import fs from 'node:fs';
import https from 'node:https';

const [port, cert, key] = process.argv.slice(2);
const server = https.createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key)}, (request, response) => {
  const body = 'hello';
  response.writeHead(200, {'Content-Length': body.length});
  response.end(body);
});
server.keepAliveTimeout = 120000;
server.listen(Number(port), '127.0.0.1');
