"""What makes runs of the tests alike and quick: no deadlines, no chance, no processes in each other's way."""

import os
import subprocess
import sys
import tempfile

from hypothesis import settings

# Machines differ in speed, and the first call of a function may compile it.
settings.register_profile("kl_plugins", deadline=None, derandomize=True)
settings.load_profile("kl_plugins")

# Before NumPy is loaded, here and in the workers: with as many workers as cores, threads of BLAS spend ten
# times as long waiting for each other as they work.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

if not os.environ.get("PYTEST_XDIST_WORKER"):
    # ArviZ 0.23 warns on its first import of a day and writes that down; processes that do so together fail
    # (arviz-devs/arviz issue 2530). This one comes before them.
    subprocess.run([sys.executable, "-W", "ignore", "-c", "import arviz"], check=True)


def pytest_configure(config):
    """Time stands still for estimates, but in tests with clocks of their own.

    A machine may do something else for seconds, and so may Python: looking for garbage among all that a run
    has compiled takes some. And a cache of compiled kernels for this run alone: what one worker compiles, the
    others load.
    """
    from kl_plugins.estimate import clock  # which loads NumPy

    clock.monotonic = lambda: 0.0
    if not os.environ.get("PYTEST_XDIST_WORKER") and getattr(config.option, "numprocesses", None):
        folder = tempfile.TemporaryDirectory(prefix="kl_plugins-tests-")
        config.add_cleanup(folder.cleanup)
        os.environ["NUMBA_CACHE_DIR"] = folder.name
