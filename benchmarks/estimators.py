"""Monte Carlo rules for KL(p‖q), measured: bias and root mean squared error over repetitions.

Every rule gets the same number of evaluations of the pair of log densities. r = q/p.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchmarks.common import Row, alone, json_number
from kl_plugins import kl
from kl_plugins.estimate.estimation import estimate_kl

EVALUATIONS = 4_000
QUICK = {"repetitions": 5}


def plain(p, q, rng):
    """−log r over draws of p."""
    return np.mean(-_log_ratio(p, q, _draw(p, EVALUATIONS, rng)))


def schulman(p, q, rng):
    """(r − 1) − log r over draws of p."""
    d = _log_ratio(p, q, _draw(p, EVALUATIONS, rng))
    return np.mean(np.expm1(d) - d)


def fitted(p, q, rng):
    """−log r + c (r − 1) over draws of p, c by least squares."""
    d = _log_ratio(p, q, _draw(p, EVALUATIONS, rng))
    r = np.exp(d)
    c = np.cov(d, r)[0, 1] / max(np.var(r, ddof=1), 1e-300)
    return np.mean(-d + c * (r - 1.0))


def balanced(p, q, rng):
    """2 (r − 1 − log r)/(1 + r), half of the draws from p and half from q."""
    halves = [_log_ratio(p, q, _draw(side, EVALUATIONS // 2, rng)) for side in (p, q)]
    return np.mean([np.mean(_balanced(d)) for d in halves])


def _balanced(d):
    with np.errstate(over="ignore", invalid="ignore"):
        r = np.exp(d)
        return np.where(d > 40.0, 2.0, 2.0 * (np.expm1(d) - d) / (1.0 + r))


def _draw(side, count, rng):
    return side.rvs(size=count, random_state=rng)


def _log_ratio(p, q, x):
    return q.logpdf(x) - p.logpdf(x)


def _wide(d, scale=1.0, shift=0.0):
    return stats.multivariate_normal(np.full(d, shift), scale**2 * np.eye(d))


PAIRS = {
    "N(0,1) ‖ N(10⁻³,1)": (stats.norm(), stats.norm(1e-3)),
    "N(0,1) ‖ N(0.1,1)": (stats.norm(), stats.norm(0.1)),
    "N(0,1) ‖ N(1,1)": (stats.norm(), stats.norm(1)),
    "N(0,1) ‖ N(4,1)": (stats.norm(), stats.norm(4)),
    "N(0,1) ‖ N(20,1)": (stats.norm(), stats.norm(20)),
    "N(0,1) ‖ N(0,3)": (stats.norm(), stats.norm(0, 3)),
    "N(0,1) ‖ N(0,30)": (stats.norm(), stats.norm(0, 30)),
    "N(0,3) ‖ N(0,1)": (stats.norm(0, 3), stats.norm()),
    "N(0,1) ‖ Cauchy": (stats.norm(), stats.cauchy()),
    "t₃ ‖ N(0,1)": (stats.t(3), stats.norm()),
    "gamma(2) ‖ gamma(2.2)": (stats.gamma(2), stats.gamma(2.2)),
    "U(0,1) ‖ U(0,2)": (stats.uniform(), stats.uniform(0, 2)),
    "N₂₀(0,1) ‖ N₂₀(0.05,1.1)": (_wide(20), _wide(20, 1.1, 0.05)),
    "N₂₀(0,1) ‖ N₂₀(0.5,2)": (_wide(20), _wide(20, 2.0, 0.5)),
}
RULES = [plain, schulman, fitted, balanced]


def truth(p, q):
    try:
        return float(kl(p, q))
    except NotImplementedError:
        return float(estimate_kl(p, q))


def rows(repetitions: int = 200) -> list[Row]:
    """The divergence of each pair, and the bias and root mean squared error of each rule."""
    found = []
    for name, (p, q) in PAIRS.items():
        exact, rng = truth(p, q), np.random.default_rng(1)
        row: Row = {"pair": name, "kl": exact}
        with np.errstate(over="ignore", invalid="ignore"):
            for rule in RULES:
                off = np.array([rule(p, q, rng) for _ in range(repetitions)]) - exact
                row[rule.__name__] = {
                    "bias": json_number(off.mean()),
                    "rmse": json_number(np.sqrt(np.mean(off**2))),
                }
        found.append(row)
    return found


if __name__ == "__main__":
    alone("estimators", rows, QUICK, __doc__)
