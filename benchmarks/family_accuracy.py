"""Where PyTorch's kl_divergence of a pair is not the integral: exact value, ours and PyTorch's.

The judge is mpmath with 60 digits on the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import torch
import torch.distributions as td
from scipy import stats

from benchmarks.common import Row, alone, json_number
from kl_plugins import kl

mp.mp.dps = 60
STEP = 1.0 + 1e-8


def ratio_excess(p: float, q: float) -> Any:
    """r − 1 − ln r of r = p/q: exponential distributions with these scales."""
    r = mp.mpf(p) / mp.mpf(q)
    return r - 1 - mp.log(r)


def laplace(m: float, b: float, n: float, c: float) -> Any:
    m, b, n, c = (mp.mpf(x) for x in (m, b, n, c))
    gap = abs(m - n)
    return mp.log(c / b) + (b * mp.exp(-gap / b) + gap) / c - 1


def cauchy(m: float, b: float, n: float, c: float) -> Any:
    m, b, n, c = (mp.mpf(x) for x in (m, b, n, c))
    return mp.log(((b + c) ** 2 + (m - n) ** 2) / (4 * b * c))


def beta(a: float, b: float, c: float, d: float) -> Any:
    a, b, c, d = (mp.mpf(x) for x in (a, b, c, d))
    value = mp.log(mp.beta(c, d)) - mp.log(mp.beta(a, b)) + (a - c) * mp.psi(0, a) + (b - d) * mp.psi(0, b)
    return value + (c - a + d - b) * mp.psi(0, a + b)


def gamma(a: float, b: float, c: float, d: float) -> Any:
    a, b, c, d = (mp.mpf(x) for x in (a, b, c, d))
    value = (a - c) * mp.psi(0, a) - mp.loggamma(a) + mp.loggamma(c)
    return value + c * mp.log(b / d) + a * (d - b) / b


def geometric(p: float, q: float) -> Any:
    p, q = mp.mpf(p), mp.mpf(q)
    return mp.log(p / q) + (1 - p) / p * mp.log((1 - p) / (1 - q))


def gumbel_scales(p: float, q: float) -> Any:
    """Of Gumbel distributions with one location."""
    r = mp.mpf(p) / mp.mpf(q)
    return -mp.log(r) + mp.euler * (r - 1) - 1 + mp.gamma(1 + r)


def number(x: float) -> Any:
    return torch.tensor(x, dtype=torch.float64)


def of(kind: Callable[..., Any], *sides: tuple[float, ...]) -> Callable[[], Any]:
    return lambda: td.kl_divergence(*[kind(*map(number, side)) for side in sides])


CASES: list[tuple[str, Any, Any, Any, Callable[[], Any]]] = [
    (
        "Exponential, rates 1e-150 and 1e150",
        stats.expon(scale=1e-150),
        stats.expon(scale=1e150),
        ratio_excess(1e-150, 1e150),
        of(td.Exponential, (1e150,), (1e-150,)),
    ),
    (
        "Laplace, means 1e-8 apart",
        stats.laplace(0, 1),
        stats.laplace(1e-8, 1),
        laplace(0, 1, 1e-8, 1),
        of(td.Laplace, (0.0, 1.0), (1e-8, 1.0)),
    ),
    (
        "Laplace, scales 1e-200 and 1e200",
        stats.laplace(0, 1e-200),
        stats.laplace(0, 1e200),
        laplace(0, 1e-200, 0, 1e200),
        of(td.Laplace, (0.0, 1e-200), (0.0, 1e200)),
    ),
    (
        "Cauchy, locations 1e-8 apart",
        stats.cauchy(0, 1),
        stats.cauchy(1e-8, 1),
        cauchy(0, 1, 1e-8, 1),
        of(td.Cauchy, (0.0, 1.0), (1e-8, 1.0)),
    ),
    (
        "Uniform, widths 1e-200 and 1e200",
        stats.uniform(0, 1e-200),
        stats.uniform(0, 1e200),
        mp.log(mp.mpf(1e200) / mp.mpf(1e-200)),
        of(td.Uniform, (0.0, 1e-200), (0.0, 1e200)),
    ),
    (
        "Beta(2, 3), a 1e-8 larger",
        stats.beta(2, 3),
        stats.beta(2 * STEP, 3),
        beta(2, 3, 2 * STEP, 3),
        of(td.Beta, (2.0, 3.0), (2 * STEP, 3.0)),
    ),
    (
        "Gamma of shape 1e6, rate 1e-9 larger",
        stats.gamma(1e6),
        stats.gamma(1e6, scale=1 / (1 + 1e-9)),
        gamma(1e6, 1, 1e6, 1 / mp.mpf(1 / (1 + 1e-9))),
        of(td.Gamma, (1e6, 1.0), (1e6, 1 / (1 / (1 + 1e-9)))),
    ),
    (
        "Gumbel, scale 1e-8 larger",
        stats.gumbel_r(0, 1),
        stats.gumbel_r(0, STEP),
        gumbel_scales(1.0, STEP),
        of(td.Gumbel, (0.0, 1.0), (0.0, STEP)),
    ),
    (
        "Pareto, exponent 1e-8 larger",
        stats.pareto(2),
        stats.pareto(2 * STEP),
        ratio_excess(2 * STEP, 2),
        of(td.Pareto, (1.0, 2.0), (1.0, 2 * STEP)),
    ),
    (
        "Poisson(1e6), mean 1e-9 larger",
        stats.poisson(1e6),
        stats.poisson(1e6 * (1 + 1e-9)),
        mp.mpf(10**6) * ratio_excess(1e6 * (1 + 1e-9), 1e6),
        of(td.Poisson, (1e6,), (1e6 * (1 + 1e-9),)),
    ),
    (
        "Poisson(0) and Poisson(2)",
        stats.poisson(0),
        stats.poisson(2),
        mp.mpf(2),
        of(td.Poisson, (0.0,), (2.0,)),
    ),
    (
        "Geometric(0.3), p 1e-9 larger",
        stats.geom(0.3),
        stats.geom(0.3 * (1 + 1e-9)),
        geometric(0.3, 0.3 * (1 + 1e-9)),
        of(td.Geometric, (0.3,), (0.3 * (1 + 1e-9),)),
    ),
    (
        "Binomial(3, 1) and Binomial(3, 0.5)",
        stats.binom(3, 1.0),
        stats.binom(3, 0.5),
        3 * mp.log(2),
        of(td.Binomial, (3, 1.0), (3, 0.5)),
    ),
    (
        "Binomial(3, 1) and itself",
        stats.binom(3, 1.0),
        stats.binom(3, 1.0),
        mp.mpf(0),
        of(td.Binomial, (3, 1.0), (3, 1.0)),
    ),
]


def rows() -> list[Row]:
    """The exact divergence of each pair, ours and PyTorch's."""
    return [
        {
            "pair": name,
            "exact": json_number(exact),
            "kl_plugins": json_number(kl(p, q)),
            "PyTorch": json_number(theirs()),
        }
        for name, p, q, exact, theirs in CASES
    ]


if __name__ == "__main__":
    alone("family_accuracy", rows, {}, __doc__)
