// SPDX-License-Identifier: Apache-2.0
// A gRPC service of raw bytes by grpc-js: "serve <port>"; "call <port>" waits for a line, makes a call, waits for another
// line, makes one call of each kind on the same connection, and waits for the last. With TLS where CERTIFICATE (and for a
// server KEY) names a file.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const readline = require('readline');

const certificate = process.env.CERTIFICATE && fs.readFileSync(process.env.CERTIFICATE);
const same = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({
  path: `/depot.Board/${name}`, requestStream, responseStream,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});

function serve(port) {
  const server = new grpc.Server();
  const unary = ['Echo', 'Missing', 'Broken', 'Slow'];
  server.addService({
    ...Object.fromEntries(unary.map((name) => [name, method(name, false, false)])),
    Chat: method('Chat', true, true), Watch: method('Watch', false, true), Collect: method('Collect', true, false),
  }, {
    Echo: (call, done) => done(null, call.request),
    Missing: (call, done) => done({ code: grpc.status.NOT_FOUND, details: 'none' }),
    Broken: (call, done) => done({ code: grpc.status.INTERNAL, details: 'oops' }),
    Slow: (call, done) => setTimeout(() => done(null, call.request), 2000),
    Chat: (call) => {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
    },
    Watch: (call) => {
      for (let i = 0; i < 3; ++i) call.write(call.request);
      call.end();
    },
    Collect: (call, done) => {
      let last;
      call.on('data', (message) => { last = message; });
      call.on('end', () => done(null, last));
    },
  });
  server.bindAsync(`127.0.0.1:${port}`, certificate
    ? grpc.ServerCredentials.createSsl(null, [{ private_key: fs.readFileSync(process.env.KEY), cert_chain: certificate }])
    : grpc.ServerCredentials.createInsecure(), (error) => { if (error) throw error; });
}

async function calls(port) {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log('ready');
  await lines.next();
  const client = new grpc.Client(`127.0.0.1:${port}`, certificate ? grpc.credentials.createSsl(certificate) : grpc.credentials.createInsecure());
  const call = (name, size, limit) => new Promise((done) => client.makeUnaryRequest(
    `/depot.Board/${name}`, same, same, Buffer.alloc(size, 'x'), { deadline: Date.now() + limit }, done));
  const chat = (isCancelled) => new Promise((done) => {
    const stream = client.makeBidiStreamRequest('/depot.Board/Chat', same, same);
    let answers = 0;
    stream.on('data', () => {
      if (++answers < 3) stream.write(Buffer.from('hello'));
      else if (isCancelled) stream.cancel();
      else stream.end();
    });
    stream.on('error', () => {});
    stream.on('status', done);
    stream.write(Buffer.from('hello'));
  });
  const watch = () => new Promise((done) => {
    const stream = client.makeServerStreamRequest('/depot.Board/Watch', same, same, Buffer.from('hello'));
    stream.on('data', () => {});
    stream.on('status', done);
  });
  const collect = () => new Promise((done) => {
    const stream = client.makeClientStreamRequest('/depot.Board/Collect', same, same, done);
    for (let i = 0; i < 3; ++i) stream.write(Buffer.from('hello'));
    stream.end();
  });
  await call('Echo', 12000, 20000);
  console.log('begun');
  await lines.next();
  for (const [name, size, limit] of [['Echo', 5, 20000], ['Missing', 1, 20000], ['Broken', 1, 20000], ['Unknown', 1, 20000],
    ['Slow', 1, 300]]) await call(name, size, limit);
  await chat(false);
  await chat(true);
  await watch();
  await collect();
  await call('Echo', 7, 20000);
  console.log('done');
  await lines.next();
  process.exit(0);
}

process.argv[2] === 'serve' ? serve(process.argv[3]) : calls(process.argv[3]);
