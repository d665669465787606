// SPDX-License-Identifier: Apache-2.0
// A client by Node's fetch: each line of its input is a port, a certificate (which the environment names) and a path.
import readline from 'node:readline';

for await (const line of readline.createInterface({input: process.stdin})) {
  const [port, , path] = line.split(' ');
  const answer = await fetch(`https://127.0.0.1:${port}${path}`);
  if (await answer.text() !== 'hello') process.exit(1);
}
