#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Erlang: inets' httpd."""
import tempfile
import unittest

from artefacts import erlang_module
from talk import Server, ServerTest, talks


@talks(Server("inets", "weather", "erlang",
              ("erl", "-noshell", "-pa", erlang_module("weather"), "-s", "weather", "start", "{port}",
               tempfile.mkdtemp(prefix="waggle-erlang-"))))
class Erlang(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
