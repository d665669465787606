#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
""".NET: HttpListener, on the thread pool. A connection that comes while it is being made ends it."""
import unittest

from artefacts import dotnet_environment, dotnet_program
from talk import Server, ServerTest, talks


@talks(Server("http_listener", "warehouse", "dotnet", (*dotnet_program(), "{port}"),
              env=dotnet_environment(), ready="listening"))
class DotNet(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
