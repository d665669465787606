# SPDX-License-Identifier: Apache-2.0
"""Certificates and servers that speak TLS, for the tests of encrypted traffic."""
import atexit
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time

from harness import Child, free_port, wait_for
from proxies import MODULES
from services import nginx

CONNECTIONS = 64
REQUESTS = 5
BOUND = 6  # seconds; a little more than how long plaintext waits for its socket
_folder = None


def folder():
    """A folder with key.pem and cert.pem (for localhost and 127.0.0.1), made once."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="waggle-tls-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
        os.chmod(_folder, 0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{_folder}/key.pem",
                        "-out", f"{_folder}/cert.pem"], check=True, capture_output=True)
        os.chmod(f"{_folder}/key.pem", 0o644)
    return _folder


def key():
    return os.path.join(folder(), "key.pem")


def certificate():
    return os.path.join(folder(), "cert.pem")


def issued(name="server"):
    """A certificate that cert.pem has issued for the same key: for those who take no authority's own for a server's, and for
    clients that are asked for one."""
    path = os.path.join(folder(), f"{name}.pem")
    if not os.path.exists(path):
        request, extensions = path + ".csr", path + ".ext"
        with open(extensions, "w") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n")
        subprocess.run(["openssl", "req", "-new", "-key", key(), "-subj", f"/CN={name}", "-out", request], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", certificate(), "-CAkey", key(), "-CAcreateserial",
                        "-days", "2", "-extfile", extensions, "-out", path], check=True, capture_output=True)
        os.chmod(path, 0o644)
    return path


def key_for(user, folder):
    """The key in a file that is that user's alone, as databases want it."""
    path = os.path.join(folder, "key.pem")
    shutil.copy(key(), path)
    shutil.chown(path, user, user)
    os.chmod(path, 0o600)
    return path


def key_and_certificate(path):
    """Writes both into one file."""
    with open(path, "w") as file:
        for part in (key(), certificate()):
            with open(part) as source:
                file.write(source.read())


def keys_for_java():
    """Both in one file, its password "secret"."""
    path = os.path.join(folder(), "keys.p12")
    if not os.path.exists(path):
        subprocess.run(["openssl", "pkcs12", "-export", "-in", certificate(), "-inkey", key(), "-passout", "pass:secret",
                        "-out", path], check=True, capture_output=True)
    return path


def gnutls_server():
    """GnuTLS's own test server: its page tells of the connection."""
    port = free_port()
    return Child(["gnutls-serv", "--http", "--quiet", "-p", str(port), "--x509certfile", certificate(), "--x509keyfile", key()]
                 ).wait_port(port), port


def client_context(**options):
    context = ssl.create_default_context(cafile=certificate())
    for name, value in options.items():
        setattr(context, name, value)
    return context


def nginx_tls(locations="location / { return 200 'hello'; }", options="", **others):
    port = others.pop("port", None) or free_port()
    listen = listens(port, options, others.pop("certificate", None), others.pop("versions", "TLSv1.2 TLSv1.3"))
    return nginx(locations, listen=listen, port=port, **others)


def listens(port, options="", shown=None, versions="TLSv1.2 TLSv1.3"):
    """What makes a server of nginx's settings one that speaks TLS."""
    return (f"listen 127.0.0.1:{port} ssl {options}; ssl_certificate {shown or certificate()}; "
            f"ssl_certificate_key {key()}; ssl_protocols {versions};")


def apache_tls(folder, *more_modules):
    """With the folder's files."""
    port = free_port()
    modules = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in (*more_modules, "authz_core", "socache_shmcb", "ssl"))
    config = os.path.join(folder, "apache.conf")
    with open(config, "w") as file:
        file.write(f"{modules}\nServerName waggle.test\nServerRoot {folder}\nDocumentRoot {folder}\nMutex posixsem\n"
                   f"PidFile {folder}/pid\nErrorLog {folder}/error.log\nListen 127.0.0.1:{port}\nStartServers 2\n"
                   f"SSLEngine on\nSSLCertificateFile {certificate()}\nSSLCertificateKeyFile {key()}\n"
                   + ("Protocols h2 http/1.1\n" if "http2" in more_modules else ""))
    return Child(["apache2", "-D", "FOREGROUND", "-f", config]).wait_port(port), port


def drive(client, port, connections=CONNECTIONS, requests=REQUESTS):
    """Runs the client to its end; the local port of each of its connections."""
    out, _ = client.process.communicate(f"{port} {certificate()} {connections} {requests}\n".encode(), timeout=60)
    assert client.process.returncode == 0, client.output()
    return {name: int(local) for name, local in (line.split() for line in out.decode().splitlines())}


def expect_nothing_of_others(agent):
    """Plaintext of a process that is not selected, had it come in, would have become a nobody's span, or would wait for a socket that
    nobody watches until it is counted."""
    def told():
        names = ("waggle_spans_unowned_total", "waggle_tls_unbound_total")
        found = [(name, value) for (name, _), value in agent.metrics().items() if name in names]
        assert {name for name, _ in found} == set(names), found
        return [entry for entry in found if entry[1]]

    since = time.monotonic()
    wait_for(lambda: told() or time.monotonic() - since > BOUND, "what has no socket to be counted")
    assert told() == [], told()


class Tunnels(socketserver.ThreadingTCPServer):
    """A proxy in this process that does nothing but CONNECT."""
    daemon_threads = True
    allow_reuse_address = True

    class RequestHandler(socketserver.StreamRequestHandler):
        def handle(self):
            target = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            host, port = target.split(":")
            with socket.create_connection((host, int(port))) as server:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self.carry, args=(server, self.connection), daemon=True)
                back.start()
                self.carry(self.connection, server)
                back.join()

        @staticmethod
        def carry(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
