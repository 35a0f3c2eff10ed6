# SPDX-License-Identifier: MIT
# labels: slow
# timeout: 7200
"""1,000,000 queued messages to 10,000 destinations, half of which are away."""
import unittest

from bed import scale


class QueueScaleMillion(scale.Scale):
    MESSAGES, DESTINATIONS, WITHIN = 1_000_000, 10_000, 3600


if __name__ == "__main__":
    unittest.main()
