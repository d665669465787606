// SPDX-License-Identifier: Apache-2.0
// JSON-RPC by jayson: a server over HTTP, HTTP/2 without TLS or TCP (server http|http2|tcp <port>), or a client that calls it
// when a line comes in.
const http2 = require('node:http2');
const jayson = require('jayson');
const BrowserClient = require('jayson/lib/client/browser');

const [what, way, port] = process.argv.slice(2);

async function read(stream) {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece;
  return text;
}

function serveHttp2(server) {
  return http2.createServer(async (request, response) => {
    const text = await read(request);
    server.call(text, (error, answer) => {
      response.setHeader('content-type', 'application/json');
      response.end(answer || error ? JSON.stringify(error || answer) : undefined);
    });
  });
}

function http2Client() {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  return new BrowserClient((text, done) => {
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'application/json' });
    stream.end(text);
    read(stream).then((answer) => done(null, answer), done);
  }, {});
}

if (what === 'server') {
  const server = new jayson.Server({
    sum: (values, done) => done(null, values.reduce((a, b) => a + b, 0)),
    slow: (values, done) => setTimeout(() => done(null, 'x'.repeat(values[0])), 20),
    fail: (values, done) => done({ code: 501, message: 'secret' }),
  });
  (way === 'http2' ? serveHttp2(server) : server[way]()).listen(+port, '127.0.0.1');
} else {
  const client = way === 'http2' ? http2Client() : jayson.Client[way]({ host: '127.0.0.1', port: +port });
  const call = (method, values) => new Promise((resolve, reject) => client.request(method, values, (error, answer) => (error ? reject(error) : resolve(answer))));
  process.stdin.once('data', async () => {
    await call('sum', [1, 2]);
    await Promise.all([call('slow', [10]), call('sum', [3]), call('slow', [9000])]);
    if (!(await call('fail', ['secret'])).error || !(await call('nowhere', [])).error) process.exit(1);
    await new Promise((resolve) => client.request('sum', [5], null, resolve));
    console.log('done');
  });
}
