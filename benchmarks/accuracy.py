"""Relative errors of the Gaussian divergence: ours beside PyTorch's, NumPyro's and the textbook formula's.

The judge is mpmath with 60 digits on the exact float64 inputs (the oracle of the tests). Needs the extra
``bench``. Run it from the project's root:

    python benchmarks/accuracy.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kl_plugins import Dense, MultivariateNormal, kl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import oracle

Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

NUMPYRO = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
from numpyro.distributions import MultivariateNormal, kl_divergence
def divergence(mp, sp, mq, sq):
    p, q = (MultivariateNormal(jnp.asarray(m), jnp.asarray(s)) for m, s in ((mp, sp), (mq, sq)))
    return float(kl_divergence(p, q))
print(json.dumps([divergence(*pair) for pair in json.load(sys.stdin)]))
"""


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
    "d = 1, KL ≈ 1e-18": lambda seed: near(seed, 1, 1.0, 1e-9),
    "d = 8, KL ≈ 1e-18, condition 1e2": lambda seed: near(seed, 8, 1e2, 2e-10),
    "d = 30, KL ≈ 1e-16, condition 1e2": lambda seed: near(seed, 30, 1e2, 5e-10),
    "d = 30, KL ≈ 1e-8, condition 1e2": lambda seed: near(seed, 30, 1e2, 5e-6),
    "d = 8, KL ≈ 1, condition 1e2": lambda seed: near(seed, 8, 1e2, 0.1),
    "d = 8, unrelated, condition 1e6": lambda seed: far(seed, 8, 1e6, 0.0),
    "d = 8, unrelated, condition 1e12": lambda seed: far(seed, 8, 1e12, 0.0),
    "d = 8, unrelated, means near 1e8": lambda seed: far(seed, 8, 1e2, 1e8),
}


def ours(mp: Any, sp: Any, mq: Any, sq: Any) -> float:
    return float(kl(MultivariateNormal(mp, Dense(sp)), MultivariateNormal(mq, Dense(sq))))


def textbook(mp: Any, sp: Any, mq: Any, sq: Any) -> float:
    inverse, gap = np.linalg.inv(sq), mq - mp
    log_dets = np.linalg.slogdet(sq)[1] - np.linalg.slogdet(sp)[1]
    return float(0.5 * (np.trace(inverse @ sp) + gap @ inverse @ gap - len(mp) + log_dets))


def torch_divergence(mp: Any, sp: Any, mq: Any, sq: Any) -> float:
    import torch
    from torch.distributions import MultivariateNormal as TorchNormal
    from torch.distributions import kl_divergence

    p, q = (TorchNormal(torch.tensor(m), torch.tensor(s)) for m, s in ((mp, sp), (mq, sq)))
    return float(kl_divergence(p, q))


def numpyro_divergences(pairs: list[Pair]) -> list[float]:
    """NumPyro in a process of its own with a time limit: its batched solves can hang on two cores."""
    text = json.dumps([[array.tolist() for array in pair] for pair in pairs])
    done = subprocess.run(
        [sys.executable, "-c", NUMPYRO], input=text, capture_output=True, text=True, timeout=300, check=True
    )
    return [float(value) for value in json.loads(done.stdout)]


def main() -> None:
    """Print the worst relative error of each implementation in each case over ten seeds."""
    print("| case | KL | kl_plugins | PyTorch | NumPyro | textbook |")
    print("|---|---|---|---|---|---|")
    for label, make in CASES.items():
        pairs = [make(seed) for seed in range(10)]
        exact = [
            oracle.kl(oracle.from_covariance(mp, sp), oracle.from_covariance(mq, sq))
            for mp, sp, mq, sq in pairs
        ]
        columns = [[function(*pair) for pair in pairs] for function in (ours, torch_divergence)]
        columns += [numpyro_divergences(pairs), [textbook(*pair) for pair in pairs]]
        worst = [
            max(float(abs(value / truth - 1)) for value, truth in zip(column, exact, strict=True))
            for column in columns
        ]
        cells = [f"{error:.0e}" for error in worst]
        print(f"| {label} | {float(exact[0]):.1e} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
