// SPDX-License-Identifier: Apache-2.0
// Waits for a line, sends three orders and gets them with kafkajs; arguments: the broker's port, the topic and, for TLS, an
// authority's certificate.
const { Kafka, logLevel } = require('kafkajs');
const fs = require('fs');
const [port, topic, authority] = process.argv.slice(2);
const ssl = authority && { ca: [fs.readFileSync(authority)] };
const kafka = new Kafka({ clientId: 'jsshop', brokers: ['127.0.0.1:' + port], ssl, logLevel: logLevel.NOTHING });

process.stdin.once('data', async () => {
  const producer = kafka.producer();
  await producer.connect();
  for (let i = 0; i < 3; ++i) await producer.send({ topic, messages: [{ key: 'key', value: 'secret' + i }] });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: 'packers', maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let got = 0;
  await new Promise((resolve) => consumer.run({ eachMessage: async () => { if (++got === 3) resolve(); } }));
  await consumer.disconnect();
  console.log('done');
});
