// SPDX-License-Identifier: Apache-2.0
// A client of many TLS connections at once, as asyncio_client.py.
import fs from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';

for await (const line of readline.createInterface({input: process.stdin})) {
  const [port, certificate, connections, requests] = line.split(' ');
  const ca = fs.readFileSync(certificate);
  const agents = Array.from({length: Number(connections)}, () => new https.Agent({keepAlive: true, maxSockets: 1, ca}));
  const local = [];
  const talk = (number, turn) => new Promise((resolve, reject) => {
    const path = `/c/${String(number).padStart(3, '0')}/${String(turn).padStart(3, '0')}`;
    https.get({host: '127.0.0.1', port, path, agent: agents[number]}, (answer) => {
      local[number] = answer.socket.localPort;
      answer.resume().on('end', resolve);
    }).on('error', reject);
  });
  for (let turn = 0; turn < Number(requests); turn++) await Promise.all(agents.map((_, number) => talk(number, turn)));
  agents.forEach((agent, number) => {
    console.log(String(number).padStart(3, '0'), local[number]);
    agent.destroy();
  });
}
