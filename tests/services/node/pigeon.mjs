// SPDX-License-Identifier: Apache-2.0
// A client (tests/e2e/test_clients.py) by fetch: each line of its input is a method, a URL, and the size of a body.
let lines = '';
for await (const piece of process.stdin) lines += piece;
for (const line of lines.trim().split('\n')) {
  const [method, url, size] = line.split(' ');
  const body = method === 'POST' ? 'b'.repeat(Number(size)) : undefined;
  const answer = await fetch(url, {method, body, headers: {'User-Agent': 'talk/1'}});
  await answer.arrayBuffer();
}
