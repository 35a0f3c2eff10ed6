#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The same as test_imap_stress, for 20 minutes."""
# labels: slow
# timeout: 1800
import os
import unittest

os.environ.setdefault("GK_STRESS_SECONDS", "1200")
from test_imap_stress import Stress  # noqa: E402,F401 pylint: disable=wrong-import-position,unused-import

if __name__ == "__main__":
    unittest.main()
