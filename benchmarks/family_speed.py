"""Time of the univariate families: ours beside PyTorch's kl_divergence of the same pair.

Single pairs of distributions that exist (frozen ones of SciPy, those of PyTorch) and vectors of a million
parameters. Both are interleaved in one process and compared by medians, on one core, in seconds of the
processor. PyTorch checks the parameters when a distribution is made, not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributions as td
from scipy import stats

from benchmarks.common import Row, alone, interleaved
from kl_plugins import kl

QUICK = {"seconds": 0.1, "length": 10_000}

# p and q of SciPy and of PyTorch, from positive numbers a, b, c, d.
PAIRS: dict[str, Callable[..., Any]] = {
    "Normal": lambda a, b, c, d: (stats.norm(a, b), stats.norm(c, d), td.Normal, (a, b), (c, d)),
    "LogNormal": lambda a, b, c, d: (
        stats.lognorm(b, scale=np.exp(a / 9)),
        stats.lognorm(d, scale=np.exp(c / 9)),
        td.LogNormal,
        (a / 9, b),
        (c / 9, d),
    ),
    "Exponential": lambda a, b, c, d: (
        stats.expon(scale=1 / a),
        stats.expon(scale=1 / c),
        td.Exponential,
        (a,),
        (c,),
    ),
    "HalfNormal": lambda a, b, c, d: (
        stats.halfnorm(scale=a),
        stats.halfnorm(scale=c),
        td.HalfNormal,
        (a,),
        (c,),
    ),
    "Gamma": lambda a, b, c, d: (
        stats.gamma(a, scale=1 / b),
        stats.gamma(c, scale=1 / d),
        td.Gamma,
        (a, b),
        (c, d),
    ),
    "Gumbel": lambda a, b, c, d: (stats.gumbel_r(a, b), stats.gumbel_r(c, d), td.Gumbel, (a, b), (c, d)),
    "Beta": lambda a, b, c, d: (stats.beta(a, b), stats.beta(c, d), td.Beta, (a, b), (c, d)),
    "Laplace": lambda a, b, c, d: (stats.laplace(a, b), stats.laplace(c, d), td.Laplace, (a, b), (c, d)),
    "Cauchy": lambda a, b, c, d: (stats.cauchy(a, b), stats.cauchy(c, d), td.Cauchy, (a, b), (c, d)),
    "Pareto": lambda a, b, c, d: (
        stats.pareto(a, scale=9 + b),
        stats.pareto(c, scale=d / 9),
        lambda scale, alpha: td.Pareto(scale, alpha),
        (9 + b, a),
        (d / 9, c),
    ),
    "Poisson": lambda a, b, c, d: (stats.poisson(a), stats.poisson(c), td.Poisson, (a,), (c,)),
    "Geometric": lambda a, b, c, d: (
        stats.geom(1 / (1 + a)),
        stats.geom(1 / (1 + c)),
        td.Geometric,
        (1 / (1 + a),),
        (1 / (1 + c),),
    ),
    "Bernoulli": lambda a, b, c, d: (
        stats.bernoulli(a / (a + b)),
        stats.bernoulli(c / (c + d)),
        td.Bernoulli,
        (a / (a + b),),
        (c / (c + d),),
    ),
}


MIXED = ("Gamma, Normal", "Exponential, Gamma", "Normal, Gumbel")


def mixed_pair(name: str, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Pairs of two families, of SciPy."""
    if name == "Gamma, Normal":
        return stats.gamma(a, scale=1 / b), stats.norm(c, d)
    if name == "Exponential, Gamma":
        return stats.expon(scale=1 / a), stats.gamma(c, scale=1 / d)
    return stats.norm(a, b), stats.gumbel_r(c, d)


def mixed_peers(name: str, a: Any, b: Any, c: Any, d: Any) -> Any:
    """The same of PyTorch."""
    if name == "Gamma, Normal":
        return td.Gamma(a, b), td.Normal(c, d)
    if name == "Exponential, Gamma":
        return td.Exponential(a), td.Gamma(c, d)
    return td.Normal(a, b), td.Gumbel(c, d)


def made(name: str, numbers: list[Any]) -> tuple[Any, Any, Any, Any]:
    """p and q of SciPy, p and q of PyTorch."""
    if name in PAIRS:
        p, q, kind, first, second = PAIRS[name](*numbers)
        peers = [kind(*[torch.as_tensor(x, dtype=torch.float64) for x in side]) for side in (first, second)]
        return p, q, peers[0], peers[1]
    tensors = [torch.as_tensor(x, dtype=torch.float64) for x in numbers]
    return (*mixed_pair(name, *numbers), *mixed_peers(name, *tensors))


def rows(seconds: float = 1.0, length: int = 1_000_000, only: str = "") -> list[Row]:
    """Processor seconds of one pair and of a vector of pairs, and how far the two libraries are apart."""
    vectors = list(np.random.default_rng(0).uniform(0.5, 20.0, (4, length)))
    found = []
    for name in [name for name in [*PAIRS, *MIXED] if only in name]:
        row: Row = {"pair": name, "length": length, "difference": 0.0}
        for key, numbers in (("one", [2.1, 3.2, 1.4, 2.5]), ("vector", vectors)):
            p, q, torch_p, torch_q = made(name, numbers)
            ours, theirs = kl(p, q), td.kl_divergence(torch_p, torch_q).numpy()
            with np.errstate(invalid="ignore"):  # infinities of both
                off = np.abs(ours - theirs) / np.maximum(np.abs(ours), 1e-3)
            apart = float(np.max(np.where(ours == theirs, 0.0, off)))
            if not apart < 1e-6:
                raise AssertionError(f"{name}: PyTorch has {theirs} where we have {ours}")
            row["difference"] = max(row["difference"], apart)
            calls = (lambda p=p, q=q: kl(p, q)), (lambda p=torch_p, q=torch_q: td.kl_divergence(p, q))
            row[key] = dict(zip(("kl_plugins", "PyTorch"), interleaved(list(calls), seconds), strict=True))
        found.append(row)
    return found


if __name__ == "__main__":
    alone("family_speed", rows, QUICK, __doc__)
