"""What makes runs of the tests alike: no deadlines, no chance, no processes that disturb each other."""

import os
import subprocess
import sys
import tempfile

from hypothesis import settings

# Machines differ in speed, and the first call of a function may compile it.
settings.register_profile("kl_plugins", deadline=None, derandomize=True)
settings.load_profile("kl_plugins")

if os.environ.get("PYTEST_XDIST_WORKER"):
    # Each fills a cache of compiled kernels of its own.
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="kl_plugins-tests-")
else:
    # ArviZ 0.23 warns on its first import of a day and writes that down; processes that do so together fail
    # (arviz-devs/arviz issue 2530). This one comes before them.
    subprocess.run([sys.executable, "-W", "ignore", "-c", "import arviz"], check=True)
