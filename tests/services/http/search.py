# SPDX-License-Identifier: Apache-2.0
"""The official clients of search engines, which make their calls when a line comes in:
python3 search.py elasticsearch|opensearch|elasticsearch-http2 <port>. The last is elasticsearch's own by httpx, without TLS."""
import asyncio
import inspect
import sys

what, port = sys.argv[1], int(sys.argv[2])
URL = f"http://127.0.0.1:{port}"

if what == "elasticsearch":
    from elasticsearch import Elasticsearch, NotFoundError
    client = Elasticsearch(URL, max_retries=0)
elif what == "opensearch":
    from opensearchpy import NotFoundError, OpenSearch
    client = OpenSearch(URL, max_retries=0)
else:
    import httpx
    from elastic_transport import HttpxAsyncHttpNode
    from elasticsearch import AsyncElasticsearch, NotFoundError

    class Http2Node(HttpxAsyncHttpNode):
        def __init__(self, config):
            super().__init__(config)
            self.client = httpx.AsyncClient(base_url=URL, http1=False, http2=True)

    client = AsyncElasticsearch(URL, max_retries=0, node_class=Http2Node)


async def call(function, **arguments):
    answer = function(**arguments)
    return await answer if inspect.isawaitable(answer) else answer


async def main():
    await call(client.indices.create, index="orders")
    await call(client.index, index="orders", id="17", **{"body" if what == "opensearch" else "document": {"card": "secret"}})
    await call(client.get, index="orders", id="17")
    await call(client.search, index="orders", body={"query": {"match": {"card": "secret"}}})
    await call(client.bulk, body=[{"index": {"_index": "orders"}}, {"card": "secret"}])
    await call(client.count, index="orders,parcels")
    await call(client.cluster.health)
    try:
        await call(client.get, index="nothing", id="1")
        raise AssertionError("that should fail")
    except NotFoundError:
        pass
    print("done", flush=True)
    await asyncio.to_thread(sys.stdin.read)


sys.stdin.readline()
asyncio.run(main())
