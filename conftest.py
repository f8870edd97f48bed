"""Which files are collected where, and how quickly graphs are compiled in tests and docstrings."""

from contextlib import nullcontext
from importlib.util import find_spec

import pytest

ABOUT_PYMC_EXTRAS = [
    "docs/tutorials/trainer.md",
    "kl_plugins/variational/target/guides.py",
    "kl_plugins/variational/target/trainers.py",
    "tests/plugins/test_pymc_extras.py",
    "tests/variational/test_trainer.py",
]
"""pymc-extras pins PyMC: `.ci/run` has an environment for these, and fails unless they are run there."""

collect_ignore = [] if find_spec("pymc_extras") else ABOUT_PYMC_EXTRAS


@pytest.fixture(scope="module", autouse=True)
def quickly_compiled(request):
    """Graphs run by Python's own loop, unless a test names a mode: to compile so many would take longer.

    Pages show what users have, and so do as they do.
    """
    import pytensor

    page = request.path.suffix == ".md"
    with nullcontext() if page else pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield
