#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python's servers: the standard library's, gunicorn with Flask, uvicorn with FastAPI."""
import unittest

from talk import Server, ServerTest, service_folder, talks

# Debian's, which has the frameworks.
PYTHON = "/usr/bin/python3"
FOLDER = service_folder("python")
BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


@talks(
    Server("standard_library", "orders", "python", (PYTHON, "orders.py", "{port}"), FOLDER, BYTECODE),
    Server("gunicorn_flask", "flask_shop", "python",
           (PYTHON, "-m", "gunicorn", "-w", "2", "--threads", "2", "-b", "127.0.0.1:{port}", "flask_shop:app"), FOLDER, BYTECODE),
    Server("uvicorn_fastapi", "fastapi_shop", "python",
           (PYTHON, "-m", "uvicorn", "--port", "{port}", "fastapi_shop:app"), FOLDER, BYTECODE),
)
class Python(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
