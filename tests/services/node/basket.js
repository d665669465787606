// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) with node's own http: node basket.js <port>
const http = require('http');

const texts = {
  '/hello': [200, 'hello'],
  '/missing': [404, 'missing'],
  '/broken': [500, 'broken'],
  '/big': [200, 'x'.repeat(1 << 20)],
};

const pieces = {'/chunked': ['one', 'two', 'three'], '/stream': Array(64).fill('y'.repeat(1 << 14))};

http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/relay') {
    const to = new URL(request.url, 'http://here').searchParams.get('to');
    http.get(to, (answer) => answer.pipe(response));
  } else if (path in pieces) {
    for (const piece of pieces[path]) response.write(piece);
    response.end();
  } else if (path === '/echo') {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => response.end(Buffer.concat(parts)));
  } else {
    const [status, body] = texts[path];
    response.writeHead(status, {'Content-Length': body.length});
    response.end(body);
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
