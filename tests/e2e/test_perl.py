#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Perl: HTTP::Daemon with a process for each connection."""
import unittest

from talk import Server, ServerTest, service_folder, talks


@talks(Server("http_daemon", "tickets", "perl", ("perl", "tickets.pl", "{port}"), service_folder("perl")))
class Perl(ServerTest):
    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
