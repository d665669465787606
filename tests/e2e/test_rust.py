#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rust: tiny_http, a pool of threads, where a reader for each connection hands requests to others; hyper, whose
connections are tasks on tokio's threads."""
import unittest

from artefacts import rust_hyper, rust_program
from talk import Server, ServerTest, talks


@talks(
    Server("tiny_http", "parcels", "rust", (rust_program(), "{port}"), runtime=None),
    Server("hyper", "harbour", "rust", (rust_hyper(), "{port}"), runtime=None),
)
class Rust(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
