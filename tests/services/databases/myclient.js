// SPDX-License-Identifier: Apache-2.0
// Calls MariaDB by mysql2 when a line comes in, then waits for the end of its input.
const mysql = require('mysql2/promise');

process.stdin.once('data', async () => {
  const db = await mysql.createConnection({ host: '127.0.0.1', port: +process.argv[2], user: 'shop', password: 'pw', database: 'shop' });
  for (let i = 0; i < 2; i++) await db.query('SELECT name FROM users WHERE id = ?', [1]);
  for (let i = 0; i < 2; i++) await db.execute('SELECT id FROM users WHERE name = ?', ['ann']);
  await db.query('SELECT * FROM missing').catch(() => {});
  await db.execute('SELECT * FROM nowhere WHERE id = ?', [1]).catch(() => {});
  // Sent without waiting: the driver keeps them in a queue of its own.
  await Promise.all([1, 2, 3].map((i) => db.execute('INSERT INTO orders (user_id) VALUES (?)', [i])));
  console.log('done');
});
