# SPDX-License-Identifier: Apache-2.0
"""Proxies in front of an upstream: each function gives the table's row for one. upstream: host:port or unix:path."""
import os
import tempfile

from talk import Server

MODULES = "/usr/lib/apache2/modules"


def _file(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def nginx_proxy(upstream):
    folder = tempfile.mkdtemp(prefix="waggle-nginx-")
    os.chmod(folder, 0o755)
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

    def argv(port):
        return ("nginx", "-p", folder, "-c", _file(folder, "nginx.conf", f"""
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log; user root;
events {{ worker_connections 512; }}
http {{ access_log off; {temporary}
upstream back {{ server {upstream}; keepalive 16; }}
server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
}} }} }}
"""))
    return Server("nginx", "nginx", "generic", argv, runtime=None)


def apache_proxy(upstream):
    """upstream may be a list: as many hosts as mod_proxy has."""
    folder = tempfile.mkdtemp(prefix="waggle-apache-")

    def argv(port):
        modules = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in ("mpm_event", "authz_core", "proxy", "proxy_http"))
        return ("apache2", "-X", "-d", folder, "-f", _file(folder, "apache.conf", f"""{modules}
ServerName waggle.test
ServerRoot {folder}
Mutex posixsem
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
ProxyPreserveHost On
ProxyPass / http://{upstream}/
"""))
    return Server("apache", "apache2", "generic", argv, runtime=None)


def apache_tunnels():
    """To any port, by CONNECT."""
    folder = tempfile.mkdtemp(prefix="waggle-apache-")

    def argv(port):
        modules = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in ("mpm_event", "authz_core", "proxy", "proxy_connect"))
        return ("apache2", "-X", "-d", folder, "-f", _file(folder, "apache.conf", f"""{modules}
ServerName waggle.test
ServerRoot {folder}
Mutex posixsem
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
ProxyRequests On
AllowCONNECT 1-65535
"""))
    return Server("tunnels", "apache2", "generic", argv, runtime=None)


def haproxy(upstream):
    folder = tempfile.mkdtemp(prefix="waggle-haproxy-")

    def argv(port):
        return ("haproxy", "-db", "-f", _file(folder, "haproxy.cfg", f"""
global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one {upstream}
"""))
    return Server("haproxy", "haproxy", "generic", argv, runtime=None)
