// SPDX-License-Identifier: Apache-2.0
// Speaks NATS by its client for Node when a line comes in: twenty requests at once, answered in any order by another connection;
// then waits for the end of its input.
const { connect, StringCodec } = require('nats');

process.stdin.once('data', async () => {
  const servers = `127.0.0.1:${process.argv[2]}`;
  const text = StringCodec();
  const server = await connect({ servers });
  server.subscribe('price', {
    callback: (error, message) => setTimeout(() => message.respond(text.encode('secret'.repeat(1 + Math.random() * 20))), Math.random() * 20),
  });
  await server.flush();
  const client = await connect({ servers });
  await Promise.all(Array.from({ length: 20 }, () => client.request('price', text.encode('secret'), { timeout: 10000 })));
  await client.close();
  await server.drain();
  console.log('done');
});
