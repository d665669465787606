#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
""".NET: HttpListener, on the thread pool. A connection that comes while it is being made ends it."""
import unittest

from artefacts import dotnet_program, old_openssl
from talk import Server, ServerTest, talks


@talks(Server("http_listener", "warehouse", "dotnet", (*dotnet_program(), "{port}"),
              env={"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "LD_LIBRARY_PATH": old_openssl()}, ready="listening"))
class DotNet(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
