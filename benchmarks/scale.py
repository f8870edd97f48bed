"""Tables of divergences that do not fit into memory: seconds, peak memory of each process, and the bits.

All pairs of two collections of Gaussians are written to Zarr by one worker process and by two, each on a core
of its own, and compared with the table in memory, value by value. Divergences of univariate normals are
streamed: of each row the mean and the maximum are kept, by one process. Seconds are of the clock on the wall.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import numpy as np
import xarray as xr
from dask.distributed import Client, LocalCluster
from scipy import stats

from benchmarks.common import Row, alone, covariances
from kl_plugins import Dense, MultivariateNormal, pairwise_kl

QUICK = {"gaussians": 600, "chunk": 200, "univariate": 1000}
MIB = 1 << 20


def peak() -> int:
    """Bytes of memory that this process has had at most; of the program that it runs, not of its parent."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def on_all_cores() -> list[int]:
    """Let this process, which was kept to one core, use all; which they are."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return sorted(os.sched_getaffinity(0))


def cluster(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit="2GiB",
        dashboard_address=None,
    )


def on_own_cores(client: Client, cores: list[int]) -> None:
    """Keep every worker to a core of its own."""
    for core, worker in zip(cores, client.scheduler_info()["workers"], strict=False):
        client.run(os.sched_setaffinity, 0, [core], workers=[worker])


def gaussian(rng: np.random.Generator, count: int, d: int, dim: str, chunk: int) -> tuple[Any, Any]:
    """The same Gaussians in memory, and as chunks of labelled arrays."""
    means, matrices = rng.normal(size=(count, d)), covariances(rng, (count,), d)
    mean = xr.DataArray(means, dims=(dim, "variable")).chunk({dim: chunk})
    matrix = xr.DataArray(matrices, dims=(dim, "variable", "other")).chunk({dim: chunk})
    lazy = MultivariateNormal(mean, Dense(matrix), dims=("variable", "other"))
    return MultivariateNormal(means, Dense(matrices)), lazy


def written(table: xr.DataArray, workers: int, cores: list[int], expected: np.ndarray) -> Row:
    """What it takes so many workers to write the table, and how many values have other bits than expected."""
    with TemporaryDirectory() as folder, cluster(workers) as processes, Client(processes) as client:
        on_own_cores(client, cores)
        client.run(lambda: pairwise_kl([stats.norm()]))  # loads the library
        before = max(client.run(peak).values())
        began = time.perf_counter()
        table.to_dataset().to_zarr(folder, consolidated=False)
        seconds = time.perf_counter() - began
        after = max(client.run(peak).values())
        found = xr.open_zarr(folder, consolidated=False)["kl"]
        rows = table.chunks[0][0]
        differing = sum(
            int(np.count_nonzero(found[i : i + rows].values != expected[i : i + rows]))
            for i in range(0, len(expected), rows)
        )
    return {
        "what": "Gaussians to Zarr",
        "workers": workers,
        "pairs": table.size,
        "seconds": seconds,
        "peak_mib": after / MIB,
        "loaded_mib": before / MIB,
        "differing": differing,
    }


def streamed(count: int, chunk: int) -> Row:
    """What it takes one thread to reduce the rows of a table of normals."""
    rng = np.random.default_rng(1)
    p, q = (
        stats.norm(
            xr.DataArray(rng.normal(size=count), dims=dim).chunk({dim: chunk}),
            xr.DataArray(rng.uniform(0.5, 2.0, count), dims=dim).chunk({dim: chunk}),
        )
        for dim in ("p", "q")
    )
    began = time.perf_counter()
    table = pairwise_kl(p, q)
    mean, largest = dask.compute(table.mean("q"), table.max("q"), scheduler="synchronous")
    seconds = time.perf_counter() - began
    assert mean.shape == largest.shape == (count,)
    return {
        "what": "normals by row",
        "workers": 1,
        "pairs": count**2,
        "seconds": seconds,
        "peak_mib": peak() / MIB,
    }


def rows(gaussians: int = 20_000, d: int = 5, chunk: int = 2_000, univariate: int = 31_623) -> list[Row]:
    """Reduced tables of up to so many normals, then the tables of so many Gaussians of d variables."""
    cores = on_all_cores()
    streamed(min(univariate, 500), chunk)  # loads and compiles
    sizes = [count for count in (1_000, 3_163, 10_000, 31_623) if count <= univariate]
    found = [streamed(count, chunk) for count in sizes]
    rng = np.random.default_rng(0)
    (p, lazy_p), (q, lazy_q) = (gaussian(rng, gaussians, d, dim, chunk) for dim in ("p", "q"))
    began = time.perf_counter()
    expected = pairwise_kl(p, q)
    seconds = time.perf_counter() - began
    found.append(
        {
            "what": "Gaussians in memory",
            "workers": 0,
            "pairs": expected.size,
            "seconds": seconds,
            "peak_mib": peak() / MIB,
        }
    )
    table = pairwise_kl(lazy_p, lazy_q)
    return found + [written(table, workers, cores, expected) for workers in (1, 2)]


if __name__ == "__main__":
    alone("scale", rows, QUICK, __doc__)
