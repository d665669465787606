// SPDX-License-Identifier: Apache-2.0
// Waits for a line, sends three orders and gets them with kafkajs; argument: the broker's port.
const { Kafka, logLevel } = require('kafkajs');
const kafka = new Kafka({ clientId: 'jsshop', brokers: ['127.0.0.1:' + process.argv[2]], logLevel: logLevel.NOTHING });

process.stdin.once('data', async () => {
  const producer = kafka.producer();
  await producer.connect();
  for (let i = 0; i < 3; ++i) await producer.send({ topic: 'orders-js', messages: [{ key: 'key', value: 'secret' + i }] });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: 'packers', maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic: 'orders-js', fromBeginning: true });
  let got = 0;
  await new Promise((resolve) => consumer.run({ eachMessage: async () => { if (++got === 3) resolve(); } }));
  await consumer.disconnect();
  console.log('done');
});
