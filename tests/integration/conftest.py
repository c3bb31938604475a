# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="needs root: network namespaces and raw sockets")
        for item in items:
            if "lab" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture
def lab(request):
    """A fresh network for one test. Parameters by @pytest.mark.lab(two_arm=True, ...)."""
    from lab import Lab

    marker = request.node.get_closest_marker("lab")
    with Lab(**(marker.kwargs if marker else {})) as made:
        yield made


def pytest_configure(config):
    config.addinivalue_line("markers", "lab(**options): how the namespaces of this test are built")
