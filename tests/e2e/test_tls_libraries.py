#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other libraries than the system's OpenSSL, and other protocols than HTTP: GnuTLS as a server, OpenSSL 1.1.1 as
psycopg2's wheel brings it, PostgreSQL after its own request for encryption, Redis."""
import glob
import os
import shutil
import subprocess
import unittest

from artefacts import from_index
from databases import Mariadb, Postgres
from harness import Agent, Child, free_port, server_is, subset, wait_for
from talk import service_folder
from test_tls_attach import get
from tls import certificate, gnutls_server, key

PYTHON = "/usr/bin/python3"


class Libraries(unittest.TestCase):
    def test_gnutls_server(self):
        server, port = gnutls_server()
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                for i in range(5):
                    get(port, f"/page/{i}")
                for span in agent.expect_spans(5, lambda s: server_is(s, port)):
                    subset(span, http__response__status_code=200, url__scheme="https", client__address="127.0.0.1")
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
        finally:
            server.stop()

    def postgres(self):
        postgres = Postgres()
        self.addCleanup(postgres.stop)
        pem = os.path.join(postgres.folder, "key.pem")
        shutil.copy(key(), pem)
        shutil.chown(pem, "postgres", "postgres")
        os.chmod(pem, 0o600)
        for setting in (f"ssl_cert_file = '{certificate()}'", f"ssl_key_file = '{pem}'", "ssl = on"):
            postgres.psql(f"ALTER SYSTEM SET {setting}")
        postgres.psql("SELECT pg_reload_conf()")
        wait_for(lambda: postgres.psql("SHOW ssl").strip() == "on", "PostgreSQL to speak TLS")
        return postgres

    def test_psql(self):
        postgres = self.postgres()
        client = Child([postgres.programs + "/psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "shop", "shop"],
                       env={"PGSSLMODE": "require"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with Agent(services=[{"pids": [client.pid]}]) as agent:
                wait_for(lambda: "libssl" in agent.child.output(), "its library to be read")
                client.process.stdin.write(b"SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\nSELECT * FROM missing;\n")
                out, _ = client.process.communicate(timeout=30)
                self.assertIn(b" t\n", out)
                spans = agent.expect_spans(2, lambda s: s.kind == "client")
                self.assertEqual([(s["db.operation.name"], s["db.response.status_code"]) for s in spans], [("SELECT", None), ("SELECT", "42P01")])
                self.assertEqual(spans[0]["server.port"], postgres.port)
        finally:
            client.stop()

    def test_mariadb(self):
        """Its client has GnuTLS."""
        server = Mariadb()
        self.addCleanup(server.stop)
        pem = os.path.join(server.folder, "key.pem")
        shutil.copy(key(), pem)
        shutil.chown(pem, "mysql", "mysql")
        os.chmod(pem, 0o600)
        server.restart(f"--ssl-cert={certificate()}", f"--ssl-key={pem}")
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
        finally:
            client.stop()

    def test_postgres_by_openssl_1_1(self):
        packages = from_index("psycopg2-binary==2.9.5", ["--no-deps", "--only-binary=:all:", "--python-version", "3.11",
                                                         "--implementation", "cp"])
        self.assertTrue(glob.glob(packages + "/psycopg2_binary.libs/libssl*.so.1.1*"))
        postgres = self.postgres()
        client = Child([PYTHON, service_folder("tls/postgres_client.py")], stdin=subprocess.PIPE, env={"PYTHONPATH": packages})
        try:
            with Agent(services=[{"pids": [client.pid]}]) as agent:
                wait_for(lambda: "libssl" in agent.child.output(), "its library to be read")
                client.process.stdin.write(f"{postgres.port}\nSELECT 1\nSELECT * FROM missing\nSELECT 'secret'\n".encode())
                client.process.stdin.close()
                spans = agent.expect_spans(3, lambda s: s.kind == "client")
                for span in spans:
                    subset(span, db__system__name="postgresql", db__operation__name="SELECT", db__namespace="shop",
                           server__address="127.0.0.1", server__port=postgres.port)
                self.assertEqual([span["db.response.status_code"] for span in spans], [None, "42P01", None])
                self.assertEqual(spans[2]["db.query.text"], "SELECT ?")
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
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
        finally:
            client.stop()
            server.stop()


if __name__ == "__main__":
    unittest.main()
