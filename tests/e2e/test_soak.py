#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The soak test (make soak) for two minutes."""
import os
import sys
import unittest

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests/soak"))
import soak  # noqa: E402


class Short(unittest.TestCase):
    def test_soak(self):
        soak.main(120)


if __name__ == "__main__":
    unittest.main(verbosity=2)
