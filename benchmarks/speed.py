"""Time of the Gaussian divergence: ours beside PyTorch's, NumPyro's and the textbook formula's.

Every implementation gets the same data. Ours, PyTorch's and the textbook's runs are interleaved in one
process and compared by medians, in seconds of the processor on one core; NumPyro (jit, float64) runs in a
process of its own with a time limit. PyTorch runs twice: as its users run it, and without its checks
(``validate_args=False``). The floor is a physical one measured in the same run: a dgemm of the same size for
full covariances, one pass over the inputs for diagonal ones.
"""

from __future__ import annotations

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
from benchmarks.common import Row, alone, covariances, interleaved, numpyro, textbook
from kl_plugins import Dense, Diagonal, Isotropic, MultivariateNormal, kl, pairwise_kl

QUICK = {"seconds": 0.1, "shrink": 10}
Timed = Callable[[], Any]


class Case(NamedTuple):
    """One row: what is timed, the data for NumPyro (None: not measured)."""

    label: str
    ours: Timed
    torch: Callable[[bool], Any]
    """With PyTorch's checks or without."""
    textbook: Timed | None = None
    floor: Timed | None = None
    numpyro: tuple[str, dict[str, Any]] | None = None


def full(label: str, shape: tuple[int, ...], d: int) -> Case:
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
    )


def prebuilt(d: int) -> Case:
    rng = np.random.default_rng(0)
    sp, sq = covariances(rng, (), d), covariances(rng, (), d)
    mp, mq = np.zeros(d), np.ones(d)
    p, q = MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))
    tp, tq, ta, tb = (torch.from_numpy(x) for x in (mp, mq, sp, sq))
    torch_p, torch_q = TorchMultivariateNormal(tp, ta), TorchMultivariateNormal(tq, tb)
    label = f"dense, d = {d:,}, prebuilt"
    return Case(label, lambda: kl(p, q), lambda checks: kl_divergence(torch_p, torch_q))


def diagonal(d: int, isotropic: bool) -> Case:
    rng = np.random.default_rng(0)
    vp, vq, mean = rng.random(d) + 0.5, rng.random(d) + 0.5, np.zeros(d)
    p = MultivariateNormal(mean, Isotropic(1.5, d) if isotropic else Diagonal(vp))
    q = MultivariateNormal(mean, Diagonal(vq))
    scale = np.full(d, 1.5**0.5) if isotropic else np.sqrt(vp)
    t_mean, t_p, t_q = (torch.from_numpy(x) for x in (mean, scale, np.sqrt(vq)))
    torch_p, torch_q = (Independent(TorchNormal(t_mean, x), 1) for x in (t_p, t_q))
    return Case(
        f"{'isotropic, diagonal' if isotropic else 'diagonal'}, d = {d:,}",
        lambda: kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
        lambda: 0.5 * np.sum(vp / vq + mean**2 / vq - 1.0 + np.log(vq / vp)),
        lambda: (vp.sum(), vq.sum(), mean.sum(), mean.sum()),
        None if isotropic else ("diagonal", {"d": d}),
    )


def scalar() -> Case:
    p, q = stats.norm(0, 1), stats.norm(1, 2)
    torch_p, torch_q = TorchNormal(0.0, 1.0), TorchNormal(1.0, 2.0)
    return Case(
        "stats.norm, frozen",
        lambda: kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
        numpyro=("scalar", {}),
    )


def low_rank(d: int, k: int) -> Case:
    rng = np.random.default_rng(0)
    dp, dq = rng.random(d) + 0.5, rng.random(d) + 0.5
    wp, wq, mean = rng.normal(size=(d, k)), rng.normal(size=(d, k)), np.zeros(d)
    t_mean, *tensors = (torch.from_numpy(x) for x in (mean, wp, dp, wq, dq))
    low = kl_plugins.LowRank
    return Case(
        f"low rank, d = {d:,}, k = {k}",
        lambda: kl(MultivariateNormal(mean, low(dp, wp)), MultivariateNormal(mean, low(dq, wq))),
        lambda checks: kl_divergence(
            TorchLowRank(t_mean, *tensors[:2], validate_args=checks),
            TorchLowRank(t_mean, *tensors[2:], validate_args=checks),
        ),
        floor=lambda: (dp.sum(), dq.sum(), wp.sum(), wq.sum()),
    )


def all_pairs(n: int, d: int) -> Case:
    """Prebuilt on both sides; PyTorch gets the pairs by broadcasting."""
    rng = np.random.default_rng(0)
    (mp, mq), sp, sq = rng.normal(size=(2, n, d)), covariances(rng, (n,), d), covariances(rng, (n,), d)
    p, q = MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))
    tp, tq, ta, tb = (torch.from_numpy(x) for x in (mp, mq, sp, sq))
    torch_p, torch_q = TorchMultivariateNormal(tp[:, None], ta[:, None]), TorchMultivariateNormal(tq, tb)
    return Case(
        f"all pairs of {n}, d = {d}",
        lambda: pairwise_kl(p, q),
        lambda checks: kl_divergence(torch_p, torch_q),
    )


def cases(shrink: int) -> list[Callable[[], Case]]:
    batches = (2, 100_000), (5, 100_000), (10, 30_000), (30, 5_000), (100, 1_000)
    return [
        scalar,
        *[lambda d=d: full(f"dense, d = {d:,}", (), d) for d in (10, 100, 1000 // shrink, 2000 // shrink)],
        lambda: prebuilt(1000 // shrink),
        lambda: diagonal(10**6 // shrink, False),
        lambda: diagonal(2 * 10**6 // shrink, False),
        lambda: diagonal(10**6 // shrink, True),
        *[lambda d=d, n=n // shrink: full(f"{n:,} dense, d = {d}", (n,), d) for d, n in batches],
        lambda: low_rank(10**5 // shrink, 10),
        lambda: all_pairs(300 // shrink, 5),
        lambda: all_pairs(300 // shrink, 30),
    ]


def times_of(case: Case, seconds: float) -> dict[str, float]:
    """Processor seconds of everybody but NumPyro."""
    calls = {
        "kl_plugins": case.ours,
        "PyTorch": lambda: case.torch(True),
        "PyTorch, no checks": lambda: case.torch(False),
        "textbook": case.textbook,
        "floor": case.floor,
    }
    named = {name: call for name, call in calls.items() if call}
    return dict(zip(named, interleaved(list(named.values()), seconds), strict=True))


def rows(seconds: float = 2.0, shrink: int = 1, only: str = "") -> list[Row]:
    """Processor seconds of each case by everybody who was measured."""
    found, requests = [], []
    for make in cases(shrink):
        case = make()
        if only not in case.label:
            continue
        found.append({"case": case.label, "seconds": times_of(case, seconds)})
        if case.numpyro:
            requests.append((found[-1], ["seconds", *case.numpyro]))
    answers = numpyro([request for _, request in requests], 300.0)
    for (row, _), answer in zip(requests, answers, strict=True):
        if answer is not None:
            row["seconds"]["NumPyro"] = answer
    return found


if __name__ == "__main__":
    alone("speed", rows, QUICK, __doc__)
