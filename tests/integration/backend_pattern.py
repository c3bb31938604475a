# SPDX-License-Identifier: Apache-2.0
"""The byte pattern that backends send and clients check."""

BLOCK = bytes((i * 7 + 3) & 0xFF for i in range(65536))


def pattern(n, offset=0):
    start = offset % 65536
    return (BLOCK * ((start + n) // 65536 + 1))[start:start + n]
