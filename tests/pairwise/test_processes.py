"""Tables computed by several processes: one that dies loses its chunks alone; they share Numba's cache."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import pairwise_kl

pytestmark = pytest.mark.slow


def normals(count, dim, seed):
    rng = np.random.default_rng(seed)
    mean, scale = (
        xr.DataArray(x, dims=dim).chunk({dim: 250})
        for x in (rng.normal(size=count), rng.uniform(0.5, 2.0, count))
    )
    return stats.norm(mean, scale)


def test_a_worker_that_dies_midway_loses_its_chunks_alone():
    import distributed  # takes a second

    p, q = normals(2000, "p", 1), normals(2000, "q", 2)
    expected = pairwise_kl(*(stats.norm(*[x.values for x in side.args]) for side in (p, q)))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
        blocks = client.persist(pairwise_kl(p, q).data)
        done = distributed.futures_of(blocks)
        distributed.wait(done[:5])
        os.kill(victim, signal.SIGKILL)
        np.testing.assert_array_equal(client.compute(blocks).result(timeout=300), expected)
        assert victim not in client.run(os.getpid).values()


FILLS = """
import sys
import numpy as np
from scipy import stats
from kl_plugins import pairwise_kl
rng = np.random.default_rng(0)
p = stats.gamma(rng.uniform(1, 2, 500), scale=rng.uniform(1, 2, 500))
np.save(sys.argv[1], pairwise_kl(p))
"""


def test_several_processes_fill_an_empty_cache_at_once(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "-c", FILLS, str(tmp_path / f"{i}.npy")], env=environment)
        for i in range(4)
    ]
    assert [process.wait(timeout=300) for process in started] == [0] * 4
    found = [np.load(tmp_path / f"{i}.npy") for i in range(4)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    assert list((tmp_path / "cache").rglob("*.nbi"))
