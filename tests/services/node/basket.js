// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) with node's own http: node basket.js <port>
const http = require('http');

const texts = {
  '/hello': [200, 'hello'],
  '/missing': [404, 'missing'],
  '/broken': [500, 'broken'],
  '/big': [200, 'x'.repeat(1 << 20)],
};

http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/chunked') {
    for (const piece of ['one', 'two', 'three']) response.write(piece);
    response.end();
  } else if (path === '/echo') {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => response.end(Buffer.concat(pieces)));
  } else {
    const [status, body] = texts[path];
    response.writeHead(status, {'Content-Length': body.length});
    response.end(body);
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
