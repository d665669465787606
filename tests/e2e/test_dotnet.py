#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
""".NET: asynchronous sockets on the thread pool."""
import unittest

from artefacts import dotnet_program
from talk import Server, ServerTest, talks


@talks(Server("sockets", "warehouse", "dotnet", (*dotnet_program(), "{port}"),
              env={"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}))
class DotNet(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
