// SPDX-License-Identifier: Apache-2.0
// Calls RabbitMQ by amqplib when a line comes in: twenty messages at once over two channels, confirmed or not, and as many
// deliveries; then waits for the end of its input. With an authority's certificate behind the port over TLS.
const fs = require('fs');
const amqp = require('amqplib');

process.stdin.once('data', async () => {
  const [port, authority] = process.argv.slice(2);
  const connection = await amqp.connect(`${authority ? 'amqps' : 'amqp'}://127.0.0.1:${port}`, authority ? { ca: fs.readFileSync(authority) } : {});
  const channel = await connection.createConfirmChannel();
  const plain = await connection.createChannel();
  await channel.assertQueue('parcels');
  for (let i = 0; i < 10; i++) channel.publish('', 'parcels', Buffer.from('secret'.repeat(1 + i * 20)));
  for (let i = 0; i < 10; i++) plain.sendToQueue('parcels', Buffer.from('secret'));
  await channel.waitForConfirms();
  let count = 0;
  await new Promise((resolve) => plain.consume('parcels', () => { if (++count === 20) resolve(); }, { noAck: true }));
  console.log('done');
});
