// SPDX-License-Identifier: Apache-2.0
// Sends mail by nodemailer when a line comes in, ten at once over a pool of connections; then waits for the end of its input.
const nodemailer = require('nodemailer');

process.stdin.once('data', async () => {
  const post = nodemailer.createTransport({ host: '127.0.0.1', port: +process.argv[2], pool: true, maxConnections: 2, ignoreTLS: true });
  const mail = (to) => post.sendMail({ from: 'bob@secret.example', to, subject: 'secret', text: 'secret' });
  await Promise.all(Array.from({ length: 10 }, () => mail('eve@shop.example')));
  await mail('nobody@shop.example').then(() => process.exit(1), () => {});
  post.close();
  console.log('done');
});
