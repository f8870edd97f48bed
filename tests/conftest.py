"""Each process of the tests keeps Numba's cache to itself: several that fill one disturb each other."""

import os
import tempfile

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    directory = os.path.join(tempfile.gettempdir(), f"kl_plugins-tests-{os.getppid()}-{worker}")
    os.environ["NUMBA_CACHE_DIR"] = directory
