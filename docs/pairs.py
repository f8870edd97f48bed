"""Writes the table of pairs, ``docs/pairs.md``: run ``python docs/pairs.py`` where families were added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from kl_plugins import explain, kl
from kl_plugins.errors import NoClosedFormError

# One distribution of each name, with all the moments that another's log density may ask for.
GROUPS: dict[str, dict[str, Any]] = {
    "real line": {
        "norm": stats.norm(0.2, 1.1),
        "gumbel_r": stats.gumbel_r(0.1, 0.4),
        "gumbel_l": stats.gumbel_l(0.1, 0.4),
        "loggamma": stats.loggamma(4.0, 0.1, 0.4),
        "moyal": stats.moyal(0.1, 0.1),
        "laplace": stats.laplace(0.1, 0.3),
        "laplace_asymmetric": stats.laplace_asymmetric(1.5, 0.1, 0.2),
        "logistic": stats.logistic(0.1, 0.2),
        "cauchy": stats.cauchy(0.1, 0.5),
        "t": stats.t(9.0, 0.1, 0.5),
    },
    "positive": {
        "gamma": stats.gamma(5.0, scale=0.4),
        "expon": stats.expon(scale=0.8),
        "chi2": stats.chi2(11),
        "erlang": stats.erlang(5, scale=0.3),
        "chi": stats.chi(7),
        "rayleigh": stats.rayleigh(scale=0.8),
        "maxwell": stats.maxwell(scale=0.8),
        "halfnorm": stats.halfnorm(scale=1.2),
        "nakagami": stats.nakagami(3.2),
        "gengamma": stats.gengamma(5.0, 1.2),
        "weibull_min": stats.weibull_min(2.2, scale=1.3),
        "invgamma": stats.invgamma(6.5, scale=2.0),
        "invweibull": stats.invweibull(5.5),
        "lognorm": stats.lognorm(0.5),
        "fisk": stats.fisk(9.0),
        "invgauss": stats.invgauss(1.2),
        "betaprime": stats.betaprime(5.0, 9.0),
        "lomax": stats.lomax(7.0),
        "halfcauchy": stats.halfcauchy(scale=0.8),
    },
    "from a bound on": {
        "pareto": stats.pareto(7.0),
        "weibull_max": stats.weibull_max(2.2),
    },
    "interval": {
        "uniform": stats.uniform(),
        "beta": stats.beta(3.2, 4.1),
        "powerlaw": stats.powerlaw(3.3),
        "arcsine": stats.arcsine(),
        "triang": stats.triang(0.3),
        "truncnorm": stats.truncnorm(0.0, 1.0),
        "loguniform": stats.loguniform(0.1, 1.0),
    },
    "circle": {"vonmises": stats.vonmises(2.0, 0.3)},
    "counts": {
        "bernoulli": stats.bernoulli(0.3),
        "binom": stats.binom(5, 0.4),
        "betabinom": stats.betabinom(5, 1.5, 2.5),
        "hypergeom": stats.hypergeom(12, 5, 5),
        "randint": stats.randint(0, 6),
        "poisson": stats.poisson(2.5),
        "geom": stats.geom(0.3),
        "nbinom": stats.nbinom(3, 0.4),
    },
}
FAMILIES = {name: frozen for group in GROUPS.values() for name, frozen in group.items()}
SIGNS = {"closed": "●", "exact sum": "Σ", "infinite": "∞", "none": "·"}


def kind(p: Any, q: Any) -> str:
    """How the divergence of a pair is had: closed, exact sum, infinite or none."""
    try:
        value = kl(p, q)
    except NoClosedFormError:
        return "none"
    if np.isinf(value):
        return "infinite"
    return "exact sum" if explain(p, q).rule.endswith("by_outcomes") else "closed"


def table() -> str:
    """The page."""
    kinds = {(p, q): kind(FAMILIES[p], FAMILIES[q]) for p in FAMILIES for q in FAMILIES}
    counts = {name: sum(found == name for found in kinds.values()) for name in SIGNS}
    lines = [
        "# Pairs",
        "",
        "How `kl(p, q)` is had for one distribution of each name in `scipy.stats`: "
        + ", ".join(f"`{sign}` {name}" for name, sign in SIGNS.items())
        + ". p is in the rows, q in the columns. Where it is infinite, p has mass where q has none, or a "
        "moment of p diverges that log q needs. The distributions all start at 0, and the intervals are "
        "(0, 1); elsewhere a pair may be infinite or have no closed form. `estimate_kl` serves them.",
        "",
        f"Of the {len(kinds)} pairs of these {len(FAMILIES)} names "
        + f"{counts['closed']} are closed, {counts['exact sum']} are exact sums, {counts['infinite']} are "
        + f"infinite and {counts['none']} have no closed form. The page is written by `docs/pairs.py`, "
        "which a test runs.",
    ]
    for group, columns in GROUPS.items():
        lines += ["", f"## q: {group}", "", "| p \\ q | " + " | ".join(f"`{q}`" for q in columns) + " |"]
        lines += ["|---" * (len(columns) + 1) + "|"]
        for p in FAMILIES:
            signs = [SIGNS[kinds[p, q]] for q in columns]
            lines += [f"| `{p}` | " + " | ".join(signs) + " |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("pairs.md").write_text(table(), encoding="utf-8")
