// SPDX-License-Identifier: Apache-2.0
// Speaks MQTT by its client for Node when a line comes in: thirty messages at once, of all qualities, and as many deliveries; then
// waits for the end of its input.
const mqtt = require('mqtt');

process.stdin.once('data', async () => {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${process.argv[2]}`, { protocolVersion: 5, clientId: 'parcels', username: 'shop', password: 'pw' });
  let count = 0;
  const all = new Promise((resolve) => client.on('message', () => { if (++count === 30) resolve(); }));
  await client.subscribeAsync('parcels/+', { qos: 2 });
  await Promise.all(Array.from({ length: 30 }, (_, i) => client.publishAsync(`parcels/${i % 3}`, 'secret'.repeat(1 + i), { qos: i % 3 })));
  await all;
  await client.endAsync();
  console.log('done');
});
