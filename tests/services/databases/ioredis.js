// SPDX-License-Identifier: Apache-2.0
// Calls Redis by ioredis when a line comes in, many without waiting, then waits for the end of its input.
const Redis = require('ioredis');

process.stdin.once('data', async () => {
  const db = new Redis(Number(process.argv[2]), '127.0.0.1');
  await db.set('basket', 'secret');
  await Promise.all(Array.from({ length: 50 }, (_, i) => db.incr('n' + (i % 5))));
  await db.lpush('basket', 'x').catch(() => {});
  const subscriber = db.duplicate();
  await subscriber.subscribe('news');
  const heard = new Promise((resolve) => subscriber.on('message', resolve));
  await db.publish('news', 'secret');
  await heard;
  console.log('done');
});
