// SPDX-License-Identifier: Apache-2.0
// JSON-RPC by jayson: a server over HTTP or TCP (server http|tcp <port>), or a client that calls it when a line comes in.
const jayson = require('jayson');

const [what, way, port] = process.argv.slice(2);
if (what === 'server') {
  const server = new jayson.Server({
    sum: (values, done) => done(null, values.reduce((a, b) => a + b, 0)),
    slow: (values, done) => setTimeout(() => done(null, 'x'.repeat(values[0])), 20),
    fail: (values, done) => done({ code: 501, message: 'secret' }),
  });
  server[way]().listen(+port, '127.0.0.1');
} else {
  const client = jayson.Client[way]({ host: '127.0.0.1', port: +port });
  const call = (method, values) => new Promise((resolve, reject) => client.request(method, values, (error, answer) => (error ? reject(error) : resolve(answer))));
  process.stdin.once('data', async () => {
    await call('sum', [1, 2]);
    await Promise.all([call('slow', [10]), call('sum', [3]), call('slow', [9000])]);
    if (!(await call('fail', ['secret'])).error || !(await call('nowhere', [])).error) process.exit(1);
    await new Promise((resolve) => client.request('sum', [5], null, resolve));
    console.log('done');
  });
}
