"""The models of fits and diagnoses are small and many: compiling each would take most of the time."""

import pytensor
import pytest


@pytest.fixture(scope="module", autouse=True)
def quickly_compiled():
    """Graphs run by Python's own loop, unless a test says otherwise."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield
