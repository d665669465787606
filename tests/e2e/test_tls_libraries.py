#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other libraries than the system's OpenSSL, and other protocols than HTTP: servers with GnuTLS, mbedTLS and wolfSSL, OpenSSL 1.1.1
as psycopg2's wheels bring it, OpenSSL 3.5 likewise, beside the system's in one process, PostgreSQL after its own request for
encryption, Redis."""
import glob
import os
import re
import ssl
import subprocess
import tempfile
import unittest

from artefacts import from_index
from databases import PYTHON, SOURCES, DatabaseTest, Mariadb, Postgres, node_packages, python_packages
from harness import Agent, Child, free_port, server_is, subset, wait_for
from talk import service_folder
from test_postgres import TABLES
from test_tls_attach import get
from tls import certificate, gnutls_server, key, key_for, nginx_tls


def lighttpd(module):
    """With files /page/0 to /page/4."""
    folder, port = tempfile.mkdtemp(prefix="waggle-lighttpd-"), free_port()
    os.mkdir(folder + "/page")
    for i in range(5):
        with open(f"{folder}/page/{i}", "w") as file:
            file.write("hello")
    config = folder + "/lighttpd.conf"
    with open(config, "w") as file:
        file.write(f'server.modules = ("{module}")\nserver.document-root = "{folder}"\nserver.bind = "127.0.0.1"\nserver.port = {port}\n'
                   f'ssl.engine = "enable"\nssl.pemfile = "{certificate()}"\nssl.privkey = "{key()}"\n')
    return Child(["lighttpd", "-D", "-f", config]).wait_port(port), port


class Libraries(unittest.TestCase):
    def check_server(self, server, port, newest="1.3"):
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                get(port, "/page/0", maximum_version=ssl.TLSVersion.TLSv1_2)
                for i in range(1, 5):
                    get(port, f"/page/{i}")
                for span in agent.expect_spans(5, lambda s: server_is(s, port)):
                    subset(span, tls__protocol__version="1.2" if span["url.path"] == "/page/0" else newest, http__response__status_code=200, url__scheme="https", client__address="127.0.0.1", waggle__incomplete=None)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_gnutls_server(self):
        self.check_server(*gnutls_server())

    def test_mbedtls_server(self):
        self.check_server(*lighttpd("mod_mbedtls"), newest="1.2")

    def test_wolfssl_server(self):
        self.check_server(*lighttpd("mod_wolfssl"))

    def test_mariadb(self):
        """Its client has GnuTLS."""
        server = Mariadb()
        self.addCleanup(server.stop)
        server.restart(f"--ssl-cert={certificate()}", f"--ssl-key={key_for('mysql', server.folder)}")
        client = Child(["mariadb", "--no-defaults", "--ssl", "--protocol=tcp", "-h", "127.0.0.1", "-P", str(server.port), "-u", "shop", "-ppw",
                        "-D", "shop", "-f", "-n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with Agent(services=[{"pids": [server.child.pid, client.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "their libraries to be read")
                client.process.stdin.write(b"SHOW STATUS LIKE 'Ssl_version';\nSELECT * FROM missing;\nSELECT 'secret';\n")
                out, _ = client.process.communicate(timeout=30)
                self.assertIn(b"TLSv1", out)
                for kind in ("client", "server"):
                    spans = agent.expect_spans(3, lambda s: s.kind == kind and s["db.query.text"])
                    self.assertEqual([s["db.query.text"] for s in spans], ["SHOW STATUS LIKE ?", "SELECT * FROM missing", "SELECT ?"])
                    self.assertEqual([s["db.response.status_code"] for s in spans], [None, "1146", None])
            agent.expect_no_more()
        finally:
            client.stop()

    def test_redis(self):
        port = free_port()
        server = Child(["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "",
                        "--tls-cert-file", certificate(), "--tls-key-file", key(), "--tls-auth-clients", "no"]).wait_port(port)
        client = Child(["redis-cli", "-p", str(port), "--tls", "--cacert", certificate()], stdin=subprocess.PIPE)
        try:
            with Agent(services=[{"pids": [server.pid, client.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "their libraries to be read")
                client.process.stdin.write(b"SET one 1\nGET one\nINCR nothing extra\n")
                client.process.stdin.close()
                names = ["SET", "GET", "INCR"]
                spans = agent.expect_spans(3, lambda s: s.kind == "client" and s["db.operation.name"] in names)
                self.assertEqual([s["db.operation.name"] for s in spans], names)
                self.assertEqual([s.is_error for s in spans], [False, False, True])
                servers = agent.expect_spans(3, lambda s: s.kind == "server" and s["db.operation.name"] in names)
                # The client had connected before: where its plaintext stands is not known, so no call is joined.
                self.assertEqual([s.parent for s in servers], [""] * 3)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()


class Postgresql(DatabaseTest):
    """After PostgreSQL's own request for encryption. One server for all."""

    @classmethod
    def setUpClass(cls):
        cls.server = Postgres()
        cls.addClassCleanup(cls.server.stop)
        pem = key_for("postgres", cls.server.folder)
        for setting in (f"ssl_cert_file = '{certificate()}'", f"ssl_key_file = '{pem}'", "ssl = on"):
            cls.server.psql(f"ALTER SYSTEM SET {setting}")
        cls.server.psql("SELECT pg_reload_conf()")
        wait_for(lambda: cls.server.psql("SHOW ssl").strip() == "on", "PostgreSQL to speak TLS")
        cls.server.psql(*TABLES)

    def psql(self):
        client = Child([self.server.programs + "/psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.server.port), "-U", "shop", "shop"],
                       env={"PGSSLMODE": "require"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(client.stop)
        return client

    def ask(self, client, agent, kind):
        client.process.stdin.write(b"SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\nSELECT * FROM missing;\n")
        out, _ = client.process.communicate(timeout=30)
        self.assertIn(b" t\n", out)
        spans = agent.expect_spans(2, lambda s: s.kind == kind and s["db.collection.name"] in ("pg_stat_ssl", "missing"))
        self.assertEqual([(s["db.operation.name"], s["db.response.status_code"]) for s in spans], [("SELECT", None), ("SELECT", "42P01")])
        self.assertEqual({s["server.port"] for s in spans}, {self.server.port})

    def test_psql(self):
        client = self.psql()
        agent = self.watch(client)
        wait_for(lambda: "libssl" in agent.child.output(), "its library to be read")
        self.ask(client, agent, "client")
        agent.stop()
        agent.expect_no_more()

    def test_server(self):
        """A process of its own for each connection."""
        agent = self.watch(self.server.child, config="log_level: DEBUG\n")
        client = self.psql()
        pid = wait_for(lambda: self.server.psql("SELECT pid FROM pg_stat_activity WHERE application_name = 'psql' AND pid <> pg_backend_pid()",
                                                env={"PGSSLMODE": "disable"}).strip(), "the client's connection")
        # It has another library, too, which it does not use here.
        wait_for(lambda: re.search(rf"process {pid}: reading TLS through \S*libssl", agent.child.output()), "its library to be read")
        self.ask(client, agent, "server")

    def psycopg2(self, version, library):
        """The folder with this version, and the library that it brings."""
        packages = from_index("psycopg2-binary==" + version, ["--no-deps", "--only-binary=:all:", "--python-version", "3.11",
                                                              "--implementation", "cp"])
        brought, = glob.glob(f"{packages}/psycopg2_binary.libs/{library}")
        return packages, brought

    def by_psycopg2(self, version, library):
        packages, _ = self.psycopg2(version, library)
        client = Child([PYTHON, service_folder("tls/postgres_client.py")], stdin=subprocess.PIPE, env={"PYTHONPATH": packages})
        try:
            with Agent(services=[{"pids": [client.pid]}]) as agent:
                wait_for(lambda: "libssl" in agent.child.output(), "its library to be read")
                client.process.stdin.write(f"{self.server.port}\nSELECT 1\nSELECT * FROM missing\nSELECT 'secret'\n".encode())
                client.process.stdin.close()
                spans = agent.expect_spans(3, lambda s: s.kind == "client")
                for span in spans:
                    subset(span, db__system__name="postgresql", db__operation__name="SELECT", db__namespace="shop",
                           server__address="127.0.0.1", server__port=self.server.port, tls__protocol__version="1.3")
                self.assertEqual([span["db.response.status_code"] for span in spans], [None, "42P01", None])
                self.assertEqual(spans[2]["db.query.text"], "SELECT ?")
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            agent.expect_no_more()
        finally:
            client.stop()

    def test_openssl_1_1(self):
        self.by_psycopg2("2.9.5", "libssl*.so.1.1*")

    def test_openssl_3_5(self):
        self.by_psycopg2("2.9.11", "libssl*.so.3*")

    def in_turns(self, version, library):
        """One process that calls by Python's ssl, which has the system's OpenSSL, and by the wheel's own."""
        packages, brought = self.psycopg2(version, library)
        web, port = nginx_tls()
        self.addCleanup(web.stop)
        client = Child([PYTHON, service_folder("tls/two_openssls.py")], stdin=subprocess.PIPE, env={"PYTHONPATH": packages})
        self.addCleanup(client.stop)
        with Agent(services=[{"pids": [client.pid]}]) as agent:
            for path in (brought, "/libssl.so.3"):
                wait_for(lambda path=path: re.search(rf"process {client.pid}: reading TLS through \S*{re.escape(path)}", agent.child.output()),
                         f"{path} to be read")
            turns = [f"/turn/{number}" for number in range(5)]
            client.process.stdin.write(f"{self.server.port} {port} {certificate()}\n".encode() + "".join(f"{path}\n" for path in turns).encode())
            client.process.stdin.close()
            spans = agent.expect_spans(2 * len(turns))
            self.assertEqual(client.process.wait(20), 0, client.output())
            wanted = []
            for number, path in enumerate(turns):
                wanted += [("client", f"https://127.0.0.1:{port}{path}", None, port),
                           ("client", None, f"SELECT ? AS {'abcde'[number]}", self.server.port)]
            self.assertEqual([(s.kind, s["url.full"], s["db.query.text"], s["server.port"]) for s in spans], wanted)
            for span in spans:
                subset(span, server__address="127.0.0.1", tls__protocol__version="1.3", waggle__incomplete=None)
                self.assertFalse(span.is_error)
            self.check_all_read(agent)
        agent.expect_no_more()

    def test_openssl_1_1_and_the_systems(self):
        self.in_turns("2.9.5", "libssl*.so.1.1*")

    def test_openssl_3_5_and_the_systems(self):
        self.in_turns("2.9.11", "libssl*.so.3*")

    def on_memory_buffers(self, *argv, env, statements):
        agent = self.run_over_tls(*argv, env=env)
        spans = agent.expect_spans(len(statements), lambda s: s["db.system.name"])
        self.assertEqual([(s["db.query.text"], s["error.type"]) for s in spans], statements)
        for span in spans:
            self.assertEqual(span.kind, "client")
            subset(span, db__system__name="postgresql", db__namespace="shop", server__address="127.0.0.1", server__port=self.server.port,
                   tls__protocol__version="1.3", waggle__incomplete=None)
        self.check_all_read(agent)
        agent.stop()
        agent.expect_no_more()

    def test_asyncpg(self):
        insert = ("INSERT INTO orders (user_id) VALUES ($1)", None)
        self.on_memory_buffers(PYTHON, os.path.join(SOURCES, "pgclient.py"), "asyncpg", self.dsn("require"),
                               env={"PYTHONPATH": python_packages("asyncpg", "asyncpg==0.30.0"), "PYTHONDONTWRITEBYTECODE": "1"},
                               statements=[*[("SELECT name FROM users WHERE id = $1", None)] * 2,
                                           ("SELECT * FROM missing", "42P01"), insert, insert, insert])

    def test_node(self):
        insert = ("INSERT INTO orders (user_id) VALUES ($1)", None)
        self.on_memory_buffers("node", os.path.join(SOURCES, "pgclient.js"), self.dsn("no-verify"),
                               env={"NODE_PATH": node_packages("pg", "pg@8.13.1")},
                               statements=[*[("SELECT name FROM users WHERE id = $1", None)] * 2,
                                           *[("SELECT id FROM users WHERE name = $1", None)] * 2, ("SELECT ? AS name", None),
                                           ("SELECT * FROM missing", "42P01"), insert, insert, insert])

    def dsn(self, mode):
        return f"postgresql://shop@127.0.0.1:{self.server.port}/shop?sslmode={mode}"


if __name__ == "__main__":
    unittest.main()
