# SPDX-License-Identifier: Apache-2.0
"""A search engine's stand-in (python3 search.py server <port>), or its official clients against it when a line comes in
(python3 search.py elasticsearch|opensearch <port>)."""
import http.server
import json
import sys

what, port = sys.argv[1], int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_missing = self.path.startswith("/nothing")
        body = b"" if self.command == "HEAD" else json.dumps({
            "_id": "17", "_index": "orders", "_version": 1, "result": "created", "found": True, "_source": {}, "took": 1,
            "errors": False, "items": [], "count": 1, "hits": {"hits": [], "total": {"value": 0}}, "acknowledged": True, "status": "green",
            "version": {"number": "8.15.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}).encode()
        self.send_response(404 if is_missing else 200)
        if "elastic" in self.headers["User-Agent"]:
            self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", self.headers.get("Accept") or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


if what == "server":
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()

if what == "elasticsearch":
    from elasticsearch import Elasticsearch, NotFoundError
    client = Elasticsearch(f"http://127.0.0.1:{port}", max_retries=0)
else:
    from opensearchpy import NotFoundError, OpenSearch
    client = OpenSearch(f"http://127.0.0.1:{port}", max_retries=0)
sys.stdin.readline()
client.indices.create(index="orders")
client.index(index="orders", id="17", body={"card": "secret"}) if what == "opensearch" else client.index(index="orders", id="17", document={"card": "secret"})
client.get(index="orders", id="17")
client.search(index="orders", body={"query": {"match": {"card": "secret"}}})
client.bulk(body=[{"index": {"_index": "orders"}}, {"card": "secret"}])
client.count(index="orders,parcels")
client.cluster.health()
try:
    client.get(index="nothing", id="1")
    raise AssertionError("that should fail")
except NotFoundError:
    pass
print("done", flush=True)
sys.stdin.read()
