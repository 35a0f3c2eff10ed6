# SPDX-License-Identifier: MIT
"""What the tests, the demo and the benchmarks stand on: gk instances, mail, peers, networks."""
