// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) with Express: node server.js <port>
const express = require('express');

const app = express();
app.get('/hello', (request, response) => response.send('hello'));
app.get('/missing', (request, response) => response.status(404).send('missing'));
app.get('/broken', (request, response) => response.status(500).send('broken'));
app.get('/big', (request, response) => response.send('x'.repeat(1 << 20)));
app.get('/chunked', (request, response) => {
  for (const piece of ['one', 'two', 'three']) response.write(piece);
  response.end();
});
app.get('/stream', (request, response) => {
  for (let i = 0; i < 64; ++i) response.write('y'.repeat(1 << 14));
  response.end();
});
app.post('/echo', express.raw({type: () => true, limit: '2mb'}), (request, response) => response.send(request.body));
app.listen(Number(process.argv[2]), '127.0.0.1');
