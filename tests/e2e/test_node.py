#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Node: its own http, and Express in a package."""
import unittest

from talk import Server, ServerTest, service_folder, talks


@talks(
    Server("http", "basket", "nodejs", ("node", "basket.js", "{port}"), service_folder("node")),
    # Debian's Express is where Debian's node looks; any other node must be told.
    Server("express", "storefront", "nodejs", ("node", "server.js", "{port}"), service_folder("node/express"),
           {"NODE_PATH": "/usr/share/nodejs"}),
)
class Node(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
