# SPDX-License-Identifier: MIT
"""50,000 queued messages to 1,000 destinations, half of which are away."""
# alone: bounds start, lists and memory
# timeout: 600
import unittest

from bed import scale


class QueueScale(scale.Scale):
    pass


if __name__ == "__main__":
    unittest.main()
