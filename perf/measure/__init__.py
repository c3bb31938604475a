# SPDX-License-Identifier: Apache-2.0
"""Side-by-side measurement of Penstock and testpmd; perf/bench.py is the program."""
