#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go: net/http, whose goroutines move between threads and whose listener speaks MPTCP."""
import unittest

from artefacts import go_program
from talk import Server, ServerTest, talks


@talks(Server("net_http", "inventory", "go", (go_program(), "{port}")))
class Go(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
