# SPDX-License-Identifier: Apache-2.0
"""A web service on a thread for each connection, which calls a database while it serves: /sql, /cache, /missing."""
import http.server
import sys

port, dsn, redis_port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
connections = {}


def connect():
    if dsn.startswith("mysql:"):
        import pymysql
        return pymysql.connect(host="127.0.0.1", port=int(dsn[6:]), user="shop", password="pw", database="shop", autocommit=True)
    import psycopg2
    db = psycopg2.connect(dsn)
    db.autocommit = True
    return db


def sql(statement):
    if "sql" not in connections:
        connections["sql"] = connect()
    cursor = connections["sql"].cursor()
    cursor.execute(statement)


def cache():
    import redis
    if "redis" not in connections:
        connections["redis"] = redis.Redis(port=redis_port)
    connections["redis"].get("basket")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/sql":
            sql("SELECT name FROM users WHERE id = 1")
        elif self.path == "/cache":
            cache()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
