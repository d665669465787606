// SPDX-License-Identifier: Apache-2.0
// HTTP/2: "serve <port> <folder>" gives out its files; "call <port>" waits for a line, then makes its calls on one
// connection, and waits for another. With TLS where CERTIFICATE (and for a server KEY) names a file.
import fs from "node:fs";
import http2 from "node:http2";
import readline from "node:readline";

const [, , role, port, folder] = process.argv;
const [cert, key] = ["CERTIFICATE", "KEY"].map((name) => process.env[name] && fs.readFileSync(process.env[name]));

function serve() {
    const answer = (request, response) => {
        const file = folder + request.url.split("?")[0];
        if (!fs.existsSync(file)) return response.writeHead(404).end();
        const body = fs.readFileSync(file);
        response.setHeader("content-length", body.length);
        response.end(request.method === "HEAD" ? undefined : body);
    };
    (cert ? http2.createSecureServer({ cert, key }, answer) : http2.createServer(answer)).listen(Number(port), "127.0.0.1");
}

function call(client, headers, body) {
    return new Promise((resolve, reject) => {
        const stream = client.request(headers);
        stream.on("error", reject).on("data", () => {}).on("end", resolve);
        stream.end(body);
    });
}

async function calls() {
    const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    console.log("ready");
    await lines.next();
    const client = http2.connect(`${cert ? "https" : "http"}://127.0.0.1:${port}`, { ca: cert });
    await Promise.all([1, 2, 3, 4, 5].map((i) => call(client, { ":path": `/small?call=${i}` })));
    await call(client, { ":path": "/post?call=6", ":method": "POST" }, Buffer.alloc(12000));
    console.log("done");
    await lines.next();
    client.close();
}

role === "serve" ? serve() : await calls();
