# SPDX-License-Identifier: Apache-2.0
"""Real servers as children: each function starts one and returns (Child, port)."""
import os
import sys
import tempfile

from harness import Child, free_port


def nginx(locations="location / { return 200 'hello'; }", workers=1, listen=None, http="", folder=None, port=None, env=None, start=Child):
    port = port or free_port()
    folder = folder or tempfile.mkdtemp(prefix="waggle-nginx-")
    listen = listen or f"listen 127.0.0.1:{port};"
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(f"""worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type text/plain; {http}
server {{ {listen} root {folder}; {locations} }} }}
""")
    os.chmod(folder, 0o755)
    return start(["nginx", "-c", path, "-p", folder], env=env).wait_port(port), port


def python_http(folder):
    port = free_port()
    return Child([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=folder).wait_port(port), port
