# SPDX-License-Identifier: Apache-2.0
"""Calls MongoDB by pymongo when a line comes in, with an authority's certificate behind the port over TLS; then waits for the end of its
input."""
import sys

import pymongo
from pymongo import errors

port = int(sys.argv[1])
options = {"tls": True, "tlsCAFile": sys.argv[2]} if len(sys.argv) > 2 else {}


def fails(call):
    try:
        call()
    except errors.PyMongoError:
        return
    raise AssertionError("that should fail")


sys.stdin.readline()
client = pymongo.MongoClient("127.0.0.1", port, retryWrites=False, retryReads=False, **options)
shop = client["shop"]
orders = shop["orders"]
orders.insert_one({"_id": 1, "basket": "secret"})
fails(lambda: orders.insert_one({"_id": 1, "basket": "secret"}))
orders.insert_many([{"_id": i, "basket": "secret" * 20000} for i in range(2, 12)])
assert len(list(orders.find({"_id": {"$gt": 1}}, batch_size=5))) == 10
orders.update_many({"basket": "secret"}, {"$set": {"basket": "secret 2"}})
assert orders.count_documents({}) == 11
orders.delete_one({"_id": 1})
fails(lambda: shop.command("noSuchThing", "secret"))
fails(lambda: orders.find_one({"$secret": 1}))
client.admin.command("ping")
# Nobody should answer it; FerretDB does, which the driver does not expect: it is the last.
orders.with_options(write_concern=pymongo.WriteConcern(w=0)).insert_one({"_id": 20, "basket": "secret"})
print("done", flush=True)
sys.stdin.read()
