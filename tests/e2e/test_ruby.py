#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ruby: WEBrick in a script, and puma with a Rack application."""
import unittest

from talk import Server, ServerTest, service_folder, talks


@talks(
    Server("webrick", "catalog", "ruby", ("ruby", "catalog.rb", "{port}"), service_folder("ruby")),
    Server("puma", "billing", "ruby", ("puma", "-b", "tcp://127.0.0.1:{port}", "-t", "2:4", "config.ru"),
           service_folder("ruby/billing")),
)
class Ruby(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
