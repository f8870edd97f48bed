"""Relative errors of the Gaussian divergence: ours beside PyTorch's, NumPyro's and the textbook formula's.

The judge is mpmath with 60 digits on the exact float64 inputs (the oracle of the tests).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.distributions import MultivariateNormal as TorchNormal
from torch.distributions import kl_divergence

from benchmarks.common import TESTS, Row, alone, json_number, numpyro, textbook
from kl_plugins import Dense, MultivariateNormal, kl

sys.path.insert(0, str(TESTS))
import oracle

Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

QUICK = {"seeds": 2}


def covariance(rng: np.random.Generator, d: int, condition: float) -> np.ndarray:
    """A random covariance matrix of the given condition number."""
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    matrix = (basis * np.geomspace(1.0, 1.0 / condition, d)) @ basis.T
    return (matrix + matrix.T) / 2.0


def near(seed: int, d: int, condition: float, step: float) -> Pair:
    """A pair whose means and covariances differ by about `step` standard deviations."""
    rng = np.random.default_rng(seed)
    sigma = covariance(rng, d, condition)
    root = np.linalg.cholesky(sigma)
    change = rng.normal(size=(d, d))
    other = root @ (np.eye(d) + step * (change + change.T) / 2.0) @ root.T
    mean = rng.normal(size=d)
    return mean, sigma, mean + step * root @ rng.normal(size=d), (other + other.T) / 2.0


def far(seed: int, d: int, condition: float, offset: float) -> Pair:
    """An unrelated pair, with means about `offset` from zero."""
    rng = np.random.default_rng(seed)
    means = offset + rng.normal(size=(2, d))
    return means[0], covariance(rng, d, condition), means[1], covariance(rng, d, condition)


CASES: dict[str, Callable[[int], Pair]] = {
    "d = 1, KL ≈ 10⁻²⁰": lambda seed: near(seed, 1, 1.0, 1e-9),
    "d = 8, KL ≈ 10⁻¹⁸": lambda seed: near(seed, 8, 1e2, 2e-10),
    "d = 30, KL ≈ 10⁻¹⁶": lambda seed: near(seed, 30, 1e2, 5e-10),
    "d = 30, KL ≈ 10⁻⁸": lambda seed: near(seed, 30, 1e2, 5e-6),
    "d = 8, KL ≈ 0.1": lambda seed: near(seed, 8, 1e2, 0.1),
    "d = 8, unrelated, condition 10⁶": lambda seed: far(seed, 8, 1e6, 0.0),
    "d = 8, unrelated, condition 10¹²": lambda seed: far(seed, 8, 1e12, 0.0),
    "d = 8, unrelated, means near 10⁸": lambda seed: far(seed, 8, 1e2, 1e8),
}


def ours(mp: Any, sp: Any, mq: Any, sq: Any) -> float:
    return float(kl(MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))))


def torch_divergence(mp: Any, sp: Any, mq: Any, sq: Any) -> float:
    p, q = (TorchNormal(torch.tensor(m), torch.tensor(s)) for m, s in ((mp, sp), (mq, sq)))
    return float(kl_divergence(p, q))


def relative_errors(pairs: list[Pair]) -> tuple[list[float], list[dict[str, float]]]:
    """The exact divergences of some pairs, and how far everybody is off, as a part of them."""
    exact = [
        oracle.kl(oracle.from_covariance(mp, sp), oracle.from_covariance(mq, sq)) for mp, sp, mq, sq in pairs
    ]
    found = {
        "kl_plugins": [ours(*pair) for pair in pairs],
        "PyTorch": [torch_divergence(*pair) for pair in pairs],
        "NumPyro": numpyro([["divergence", [x.tolist() for x in pair]] for pair in pairs], 300.0),
        "textbook": [float(textbook(*pair)) for pair in pairs],
    }
    errors = [
        {name: float(abs(values[i] / truth - 1)) for name, values in found.items()}
        for i, truth in enumerate(exact)
    ]
    return [float(truth) for truth in exact], errors


def rows(seeds: int = 10) -> list[Row]:
    """For each case the divergence of the first pair and the worst relative error over all seeds."""
    pairs = [make(seed) for make in CASES.values() for seed in range(seeds)]
    exact, errors = relative_errors(pairs)
    found = []
    for i, case in enumerate(CASES):
        here = errors[i * seeds : (i + 1) * seeds]
        worst = {name: json_number(max(error[name] for error in here)) for name in here[0]}
        found.append({"case": case, "kl": exact[i * seeds], "relative_error": worst})
    return found


if __name__ == "__main__":
    alone("accuracy", rows, QUICK, __doc__)
