// SPDX-License-Identifier: Apache-2.0
// Calls MongoDB by its Node driver when a line comes in, several calls at a time, then waits for the end of its input.
const { MongoClient } = require('mongodb');

process.stdin.once('data', async () => {
  const client = new MongoClient(`mongodb://127.0.0.1:${process.argv[2]}`, { retryWrites: false, retryReads: false });
  const orders = client.db('shop').collection('orders');
  await orders.insertOne({ _id: 1, basket: 'secret' });
  await orders.insertOne({ _id: 1, basket: 'secret' }).catch(() => {});
  await Promise.all(Array.from({ length: 20 }, (_, i) => orders.insertOne({ _id: 10 + i, basket: 'secret'.repeat(i * 1000) })));
  await orders.find({}, { batchSize: 15 }).toArray();
  await orders.findOneAndUpdate({ _id: 1 }, { $set: { basket: 'secret' } });
  await orders.drop();
  console.log('done');
});
