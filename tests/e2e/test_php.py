#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PHP's built-in server."""
import unittest

from talk import Server, ServerTest, service_folder, talks


@talks(Server("built_in", "gallery", "php", ("php", "-S", "127.0.0.1:{port}", "router.php"), service_folder("php/gallery")))
class Php(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
