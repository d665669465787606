#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zig: std.http, a static program without a C library."""
import unittest

from artefacts import zig_program
from talk import Server, ServerTest, talks


@talks(Server("std_http", "kiosk", "generic", (zig_program(), "{port}"), runtime=None))
class Zig(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
