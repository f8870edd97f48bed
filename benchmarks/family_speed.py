"""Time of the univariate families: ours beside PyTorch's kl_divergence of the same pair.

Single pairs of distributions that exist (frozen ones of SciPy, those of PyTorch) and vectors of a million
parameters.
Both are interleaved in one process and compared by medians, on one core. Needs the extra ``bench``. Run it
from the root of the project:

    python benchmarks/family_speed.py --cores 1 [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from speed import interleaved, shown  # first: it sets the number of cores

import numpy as np  # isort: skip
import torch  # isort: skip
import torch.distributions as td  # isort: skip
from scipy import stats  # isort: skip

from kl_plugins import kl  # isort: skip

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small vectors, to see that it runs")
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement")
    parser.add_argument("--only", help="the pairs whose names contain this")
    parser.add_argument("--cores", type=int, help="use only so many")
    args = parser.parse_args()
    torch.set_num_threads(args.cores or torch.get_num_threads())
    n = 10_000 if args.quick else 1_000_000
    rng = np.random.default_rng(0)
    single = [2.1, 3.2, 1.4, 2.5]
    vectors = list(rng.uniform(0.5, 20.0, (4, n)))
    print(f"| pair | one pair | PyTorch | ratio (to reach 0.5) | {n:.0e} | PyTorch | ratio (to reach 1) |")
    print("|---|---|---|---|---|---|---|")
    names = [*PAIRS, "Gamma, Normal", "Exponential, Gamma", "Normal, Gumbel"]
    for name in [name for name in names if (args.only or "") in name]:
        cells = []
        for numbers in (single, vectors):
            p, q, torch_p, torch_q = made(name, numbers)
            ours, theirs = kl(p, q), td.kl_divergence(torch_p, torch_q).numpy()
            if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-9):
                print(f"{name}: PyTorch has {theirs} where we have {ours}")
            times = interleaved(
                [lambda p=p, q=q: kl(p, q), lambda p=torch_p, q=torch_q: td.kl_divergence(p, q)], args.seconds
            )
            cells += [shown(times[0]), shown(times[1]), f"{times[0] / times[1]:.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
