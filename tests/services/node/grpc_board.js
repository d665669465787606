// SPDX-License-Identifier: Apache-2.0
// A gRPC service of raw bytes by grpc-js: "serve <port>"; "call <port>" waits for a line, makes a call, waits for another
// line, makes one call of each kind on the same connection, and waits for the last. With TLS where CERTIFICATE (and for a
// server KEY) names a file.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const readline = require('readline');

const certificate = process.env.CERTIFICATE && fs.readFileSync(process.env.CERTIFICATE);
const same = (bytes) => bytes;
const method = (name, isStream) => ({
  path: `/depot.Board/${name}`, requestStream: isStream, responseStream: isStream,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});

function serve(port) {
  const server = new grpc.Server();
  const unary = ['Echo', 'Missing', 'Broken', 'Slow'];
  server.addService({ ...Object.fromEntries(unary.map((name) => [name, method(name, false)])), Chat: method('Chat', true) }, {
    Echo: (call, done) => done(null, call.request),
    Missing: (call, done) => done({ code: grpc.status.NOT_FOUND, details: 'none' }),
    Broken: (call, done) => done({ code: grpc.status.INTERNAL, details: 'oops' }),
    Slow: (call, done) => setTimeout(() => done(null, call.request), 2000),
    Chat: (call) => {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
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
  await call('Echo', 12000, 20000);
  console.log('begun');
  await lines.next();
  for (const [name, size, limit] of [['Echo', 5, 20000], ['Missing', 1, 20000], ['Broken', 1, 20000], ['Unknown', 1, 20000],
    ['Slow', 1, 300]]) await call(name, size, limit);
  await chat(false);
  await chat(true);
  await call('Echo', 7, 20000);
  console.log('done');
  await lines.next();
  process.exit(0);
}

process.argv[2] === 'serve' ? serve(process.argv[3]) : calls(process.argv[3]);
