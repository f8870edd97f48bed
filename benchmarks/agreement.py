"""The closed forms beside torch.distributions where both are good: the largest relative differences.

Gaussians and their entropies by structure, univariate normals by shapes, and products of normals. Near p = q
no such comparison can be made: there PyTorch is off by more than the divergence (accuracy.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import distributions

from benchmarks.common import Row, alone
from kl_plugins import Cholesky, Dense, MultivariateNormal, Precision, entropy, independent, kl

DIMENSION = 6
LIMIT = 1e-10
STRUCTURES = {
    # ours from a lower factor, and the keyword argument of PyTorch's MultivariateNormal with its value
    "Dense": lambda lower: (Dense(lower @ lower.T), "covariance_matrix", lower @ lower.T),
    "Cholesky": lambda lower: (Cholesky(lower), "scale_tril", lower),
    "Precision": lambda lower: (Precision(lower @ lower.T), "precision_matrix", lower @ lower.T),
}


def factor(rng: np.random.Generator) -> np.ndarray:
    lower = np.tril(rng.uniform(-0.5, 0.5, (DIMENSION, DIMENSION)), -1)
    return lower + np.diag(rng.uniform(0.5, 2.0, DIMENSION))


def both(structure: str, mean: np.ndarray, lower: np.ndarray) -> tuple[Any, Any]:
    """A Gaussian of ours and of PyTorch's."""
    held, keyword, value = STRUCTURES[structure](lower)
    theirs = distributions.MultivariateNormal(torch.tensor(mean), **{keyword: torch.tensor(value)})
    return MultivariateNormal(mean, held), theirs


def pairs(rng: np.random.Generator) -> Iterator[tuple[str, Any, Any]]:
    """What is compared, our value and PyTorch's."""
    means, factors = rng.normal(size=(2, DIMENSION)), [factor(rng), factor(rng)]
    for p_structure in STRUCTURES:
        p, torch_p = both(p_structure, means[0], factors[0])
        yield f"entropy, {p_structure}", entropy(p), torch_p.entropy()
        for q_structure in STRUCTURES:
            q, torch_q = both(q_structure, means[1], factors[1])
            theirs = distributions.kl_divergence(torch_p, torch_q)
            yield f"KL, {p_structure} and {q_structure}", kl(p, q), theirs
    for shapes in (((), ()), ((4,), ()), ((3, 1), (4,))):
        parameters = [(rng.normal(size=shape), rng.uniform(0.5, 2.0, shape)) for shape in shapes]
        torch_normals = [distributions.Normal(torch.tensor(m), torch.tensor(s)) for m, s in parameters]
        normals = [stats.norm(m, s) for m, s in parameters]
        yield (
            f"KL, normals of shapes {shapes[0]} and {shapes[1]}",
            kl(*normals),
            distributions.kl_divergence(*torch_normals),
        )
    parameters = [(rng.normal(size=(3, 4)), rng.uniform(0.5, 2.0, (3, 4))) for _ in range(2)]
    products = [
        distributions.Independent(distributions.Normal(torch.tensor(m), torch.tensor(s)), 1)
        for m, s in parameters
    ]
    ours = kl(*[independent(stats.norm(m, s)) for m, s in parameters])
    yield "KL, products of normals", ours, distributions.kl_divergence(*products)


def rows() -> list[Row]:
    """The largest relative difference of each comparison; an error where one is above the limit."""
    found = []
    for name, ours, theirs in pairs(np.random.default_rng(0)):
        difference = float(np.max(np.abs(np.asarray(ours) / theirs.numpy() - 1.0)))
        if not difference < LIMIT:
            raise AssertionError(f"{name}: PyTorch has {theirs} where we have {ours}")
        found.append({"what": name, "difference": difference})
    return found


if __name__ == "__main__":
    alone("agreement", rows, {}, __doc__)
