// SPDX-License-Identifier: Apache-2.0
// Calls PostgreSQL by node-postgres when a line comes in, then waits for the end of its input.
const { Client } = require('pg');

process.stdin.once('data', async () => {
  const db = new Client({ connectionString: process.argv[2] });
  await db.connect();
  for (let i = 0; i < 2; i++) await db.query('SELECT name FROM users WHERE id = $1', [1]);
  for (let i = 0; i < 2; i++)
    await db.query({ name: 'by-id', text: 'SELECT id FROM users WHERE name = $1', values: ['ann'] });
  await db.query("SELECT 'secret' AS name");
  await db.query('SELECT * FROM missing').catch(() => {});
  // Sent without waiting: the driver keeps them in a queue of its own.
  await Promise.all([1, 2, 3].map((i) => db.query('INSERT INTO orders (user_id) VALUES ($1)', [i])));
  console.log('done');
});
