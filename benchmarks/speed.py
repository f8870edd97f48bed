"""Time of the Gaussian divergence: ours beside PyTorch's, NumPyro's and the textbook formula's.

Every implementation gets the same data. Ours, PyTorch's and the textbook's runs are interleaved in one
process and compared by medians; NumPyro (jit, float64) runs in a process of its own with a time limit.
PyTorch runs twice: as its users run it, and without its checks (``validate_args=False``). "At most" is what
the ratio to the latter, and to a dgemm, may be: a ratio above it is marked with ✗, and so is one to PyTorch
with its checks that is not below 1. The floor is a physical one measured in the same run: a dgemm of the same
size for full covariances, one pass over the inputs for diagonal ones. Needs the extra ``bench``. Run it from
the project's root:

    python benchmarks/speed.py [--quick] [--cores 1]

With more than one core the thread pools of the libraries in the process wait for each other's cores; one
core compares the work, in seconds of the processor, so that other programs disturb it little.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

if "--cores" in sys.argv:  # before any library counts them
    _cores = sorted(os.sched_getaffinity(0))[: int(sys.argv[sys.argv.index("--cores") + 1])]
    os.sched_setaffinity(0, _cores)
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from torch.distributions import Independent, kl_divergence
from torch.distributions import LowRankMultivariateNormal as TorchLowRank
from torch.distributions import MultivariateNormal as TorchMultivariateNormal
from torch.distributions import Normal as TorchNormal

import kl_plugins
from kl_plugins import Dense, Diagonal, Isotropic, MultivariateNormal, kl, pairwise_kl

Timed = Callable[[], Any]


class Case(NamedTuple):
    """One row: what is timed, the data for NumPyro (None: not measured) and what the ratios may be."""

    label: str
    ours: Timed
    torch: Callable[[bool], Any]
    """With PyTorch's checks or without."""
    textbook: Timed | None = None
    floor: Timed | None = None
    numpyro: tuple[str, dict[str, Any]] | None = None
    at_most: float | None = None
    floors: float | None = None
    """How many floors it may take."""


NUMPYRO = """
import json, sys, time
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import LowRankMultivariateNormal, MultivariateNormal, Normal, kl_divergence
kind, shape = sys.argv[1], json.loads(sys.argv[2])
rng = np.random.default_rng(0)
def covariance(n, d):
    a = rng.normal(size=(*n, d, 2 * d))
    return jnp.asarray(a @ np.swapaxes(a, -1, -2) / (2 * d))
if kind == "scalar":
    data = (0.0, 1.0, 1.0, 2.0)
    f = jax.jit(lambda a, b, c, d: kl_divergence(Normal(a, b), Normal(c, d)))
elif kind == "diagonal":
    d = shape["d"]
    data = (jnp.zeros(d), jnp.asarray(rng.random(d) + 0.5), jnp.zeros(d), jnp.asarray(rng.random(d) + 0.5))
    f = jax.jit(lambda a, b, c, d: kl_divergence(Normal(a, b).to_event(1), Normal(c, d).to_event(1)))
else:
    n, d = shape["n"], shape["d"]
    data = (jnp.zeros((*n, d)), covariance(n, d), jnp.ones((*n, d)), covariance(n, d))
    f = jax.jit(lambda a, b, c, d: kl_divergence(MultivariateNormal(a, b), MultivariateNormal(c, d)))
jax.block_until_ready(f(*data))
times = []
for _ in range(5):
    start = time.perf_counter()
    jax.block_until_ready(f(*data))
    times.append(time.perf_counter() - start)
print(sorted(times)[2])
"""


def covariances(rng: np.random.Generator, shape: tuple[int, ...], d: int) -> np.ndarray:
    """Random covariance matrices."""
    root = rng.normal(size=(*shape, d, 2 * d))
    matrix = root @ np.swapaxes(root, -1, -2) / (2 * d)
    return (matrix + np.swapaxes(matrix, -1, -2)) / 2.0


def textbook(mp: Any, sp: Any, mq: Any, sq: Any) -> Any:
    inverse, gap = np.linalg.inv(sq), mq - mp
    quadratic = np.einsum("...i,...ij,...j->...", gap, inverse, gap)
    log_dets = np.linalg.slogdet(sq)[1] - np.linalg.slogdet(sp)[1]
    return 0.5 * (np.einsum("...ij,...ji->...", inverse, sp) + quadratic - mp.shape[-1] + log_dets)


def full(label: str, shape: tuple[int, ...], d: int, at_most: float, floors: float | None = None) -> Case:
    rng = np.random.default_rng(0)
    sp, sq = covariances(rng, shape, d), covariances(rng, shape, d)
    mp, mq = np.zeros((*shape, d)), np.ones((*shape, d))
    tp, tq, ta, tb = (torch.from_numpy(x) for x in (mp, mq, sp, sq))
    return Case(
        label,
        lambda: kl(MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))),
        lambda checks: kl_divergence(
            TorchMultivariateNormal(tp, ta, validate_args=checks),
            TorchMultivariateNormal(tq, tb, validate_args=checks),
        ),
        lambda: textbook(mp, sp, mq, sq),
        (lambda: sp @ sq) if not shape else None,
        ("full", {"n": list(shape), "d": d}),
        at_most,
        floors,
    )


def prebuilt(d: int, at_most: float | None) -> Case:
    rng = np.random.default_rng(0)
    sp, sq = covariances(rng, (), d), covariances(rng, (), d)
    mp, mq = np.zeros(d), np.ones(d)
    p, q = MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))
    tp, tq, ta, tb = (torch.from_numpy(x) for x in (mp, mq, sp, sq))
    torch_p, torch_q = TorchMultivariateNormal(tp, ta), TorchMultivariateNormal(tq, tb)
    label = f"dense–dense, d = {d}, both seen before"
    return Case(label, lambda: kl(p, q), lambda checks: kl_divergence(torch_p, torch_q), at_most=at_most)


def diagonal(d: int, isotropic: bool, at_most: float | None) -> Case:
    rng = np.random.default_rng(0)
    vp, vq, mean = rng.random(d) + 0.5, rng.random(d) + 0.5, np.zeros(d)
    p = MultivariateNormal(mean, Isotropic(1.5, d) if isotropic else Diagonal(vp))
    q = MultivariateNormal(mean, Diagonal(vq))
    scale = np.full(d, 1.5**0.5) if isotropic else np.sqrt(vp)
    t_mean, t_p, t_q = (torch.from_numpy(x) for x in (mean, scale, np.sqrt(vq)))
    torch_p, torch_q = (Independent(TorchNormal(t_mean, x), 1) for x in (t_p, t_q))
    return Case(
        f"{'isotropic' if isotropic else 'diagonal'}–diagonal, d = {d:.0e}",
        lambda: kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
        lambda: 0.5 * np.sum(vp / vq + mean**2 / vq - 1.0 + np.log(vq / vp)),
        lambda: (vp.sum(), vq.sum(), mean.sum(), mean.sum()),
        None if isotropic else ("diagonal", {"d": d}),
        at_most,
    )


def scalar(at_most: float) -> Case:
    p, q = stats.norm(0, 1), stats.norm(1, 2)
    torch_p, torch_q = TorchNormal(0.0, 1.0), TorchNormal(1.0, 2.0)
    return Case(
        "frozen stats.norm pair",
        lambda: kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
        numpyro=("scalar", {}),
        at_most=at_most,
    )


def low_rank(d: int, k: int, at_most: float) -> Case:
    rng = np.random.default_rng(0)
    dp, dq = rng.random(d) + 0.5, rng.random(d) + 0.5
    wp, wq, mean = rng.normal(size=(d, k)), rng.normal(size=(d, k)), np.zeros(d)
    t_mean, *tensors = (torch.from_numpy(x) for x in (mean, wp, dp, wq, dq))
    low = kl_plugins.LowRank
    return Case(
        f"low rank, d = {d:.0e}, k = {k}",
        lambda: kl(MultivariateNormal(mean, low(dp, wp)), MultivariateNormal(mean, low(dq, wq))),
        lambda checks: kl_divergence(
            TorchLowRank(t_mean, *tensors[:2], validate_args=checks),
            TorchLowRank(t_mean, *tensors[2:], validate_args=checks),
        ),
        floor=lambda: (dp.sum(), dq.sum(), wp.sum(), wq.sum()),
        at_most=at_most,
    )


def all_pairs(n: int, d: int) -> Case:
    """Prebuilt on both sides; PyTorch gets the pairs by broadcasting."""
    rng = np.random.default_rng(0)
    (mp, mq), sp, sq = rng.normal(size=(2, n, d)), covariances(rng, (n,), d), covariances(rng, (n,), d)
    p, q = MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))
    tp, tq, ta, tb = (torch.from_numpy(x) for x in (mp, mq, sp, sq))
    torch_p, torch_q = TorchMultivariateNormal(tp[:, None], ta[:, None]), TorchMultivariateNormal(tq, tb)
    return Case(
        f"all pairs of {n} and {n}, d = {d}",
        lambda: pairwise_kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
    )


def cases(quick: bool) -> list[Callable[[], Case]]:
    shrink = 10 if quick else 1
    return [
        lambda: scalar(0.5),
        lambda: full("dense–dense, d = 10", (), 10, 0.8),
        lambda: full("dense–dense, d = 100", (), 100, 1.05),
        lambda: full(f"dense–dense, d = {1000 // shrink}", (), 1000 // shrink, 1.0),
        lambda: full(f"dense–dense, d = {2000 // shrink}", (), 2000 // shrink, 1.0, 1.3),
        lambda: prebuilt(1000 // shrink, None),
        lambda: diagonal(10**6 // shrink, False, 0.9),
        lambda: diagonal(2 * 10**6 // shrink, False, None),
        lambda: diagonal(10**6 // shrink, True, 0.9),
        *[
            lambda d=d, n=n, at_most=at_most: full(f"batch of {n:.0e}, d = {d}", (n,), d, at_most)
            for d, n, at_most in (
                (2, 100_000 // shrink, 0.6),
                (5, 100_000 // shrink, 0.6),
                (10, 30_000 // shrink, 0.6),
                (30, 5_000 // shrink, 0.75),
                (100, 1_000 // shrink, 1.05),
            )
        ],
        lambda: low_rank(10**5 // shrink, 10, 1.0),
        lambda: all_pairs(300 // shrink, 5),
        lambda: all_pairs(300 // shrink, 30),
    ]


def interleaved(functions: list[Timed], seconds: float) -> list[float]:
    """Median time of each function, run in turns for about the given time."""
    clock = time.process_time if len(os.sched_getaffinity(0)) == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in functions]
    loops = []
    for function in functions:
        function()
        start = clock()
        function()
        loops.append(max(1, int(2e-3 / max(clock() - start, 1e-9))))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, loop, found in zip(functions, loops, times, strict=True):
            start = clock()
            for _ in range(loop):
                function()
            found.append((clock() - start) / loop)
    return [statistics.median(found) for found in times]


def numpyro_time(kind: str, shape: dict[str, Any]) -> str:
    command = [sys.executable, "-c", NUMPYRO, kind, json.dumps(shape)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.TimeoutExpired:
        return "> 60 s"
    return shown(float(done.stdout))


def shown(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def beside(ratio: float, at_most: float | None) -> str:
    """A ratio, what it may be, and a mark where it is more."""
    if at_most is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} (≤ {at_most:g}){' ✗' if ratio > at_most else ''}"


def row(case: Case, seconds: float, numpyro: bool) -> list[str]:
    torches = [lambda: case.torch(True), lambda: case.torch(False)]
    more = [case.textbook, case.floor]
    times = iter(interleaved([case.ours, *torches, *filter(None, more)], seconds))
    ours, checked, unchecked = (next(times) for _ in range(3))
    textbook_time, floor = (next(times) if function else None for function in more)
    return [
        case.label,
        *map(shown, (ours, checked, unchecked)),
        beside(ours / checked, 1.0),
        beside(ours / unchecked, case.at_most),
        numpyro_time(*case.numpyro) if numpyro and case.numpyro else "–",
        *map(shown, (textbook_time, floor)),
        beside(ours / floor, case.floors) if floor else "–",
    ]


COLUMNS = (
    "case",
    "kl_plugins",
    "PyTorch",
    "PyTorch, no checks",
    "÷ PyTorch",
    "÷ PyTorch, no checks (at most)",
    "NumPyro",
    "textbook",
    "floor",
    "÷ floor",
)


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--seconds", type=float, default=3.0, help="per row")
    parser.add_argument("--cores", type=int, help="use only so many")
    parser.add_argument("--rows", default="", help="only those with this in their first column")
    parser.add_argument("--no-numpyro", action="store_true", help="leave its column empty")
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}\n"
    )
    print("|", " | ".join(COLUMNS), "|")
    print("|" + "---|" * len(COLUMNS))
    for make in cases(args.quick):
        case = make()
        if args.rows in case.label:
            print("|", " | ".join(row(case, args.seconds, not args.no_numpyro)), "|", flush=True)


if __name__ == "__main__":
    main()
