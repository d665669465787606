// SPDX-License-Identifier: Apache-2.0
// The demo's prices: prices.js <port>
const http = require('http');

http.createServer((request, response) => {
  const name = request.url.split('/').pop();
  const cents = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 99);
  response.end((cents / 100).toFixed(2));
}).listen(Number(process.argv[2]), '127.0.0.1');
