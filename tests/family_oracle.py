"""Judges of the families: SciPy's densities, and quadrature between SciPy's quantiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import integrate

from kl_plugins import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.statements import expectation
from kl_plugins.ops import numpy as ops
from kl_plugins.recognition import recognise

_LEVELS = [1e-12, 1e-6, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6, 1 - 1e-12]


def expected(frozen, function):
    """E[function(X)] by adaptive quadrature, piece by piece between quantiles and beyond the last."""
    low, high = frozen.support()
    ends = [low, *frozen.ppf(_LEVELS), high]
    log_prob = recognise(frozen).to_arrays().log_prob  # SciPy's is −∞ where some densities underflow

    def weighted(x):
        log_density = log_prob(x)
        value = np.exp(log_density) * function(x) if log_density > -700.0 else 0.0
        return value if np.isfinite(value) else 0.0  # a logarithm where x has been rounded to an end

    pieces = pairwise(ends)
    with np.errstate(all="ignore"):
        return sum(
            integrate.quad(weighted, low, high, epsabs=1e-14, epsrel=1e-11, limit=200)[0]
            for low, high in pieces
            if high > low
        )


def divergence(p, q):
    """KL(p‖q) of frozen continuous distributions of SciPy."""
    return expected(p, _log_ratio(p, q))


def diverges(p, q):
    """Whether the integral over a tail of probability u grows like log u or faster as u goes to zero."""
    ratio = _log_ratio(p, q)
    u = np.array([1e-4, 1e-8, 1e-12])
    lower = u * ratio(p.ppf(u))
    upper = u * ratio(p.isf(u))
    return any(tail[0] > 1e-5 and tail[2] > 0.5 * tail[1] > 0.25 * tail[0] for tail in (lower, upper))


def _log_ratio(p, q):
    p, q = recognise(p).to_arrays(), recognise(q).to_arrays()
    return lambda x: p.log_prob(x) - q.log_prob(x)


def statement_error(frozen):
    """The largest difference between our log density and SciPy's at quantiles."""
    x = frozen.ppf([0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999])
    made = recognise(frozen).to_arrays()
    return np.max(np.abs(made.log_prob(x) - frozen.logpdf(x)))


def expectation_of(frozen, statistic, shift=0.0, ratio=1.0, upper=None):
    """E of the statistic at z = shift + ratio·Z, as the family states it, and by quadrature."""
    made = recognise(frozen)
    stated = expectation(made, statistic, AffineMap(made.ops, shift, ratio, upper))
    standard = made.to_arrays()

    def function(x):
        z = shift + ratio * (standard.sign * (x - standard.loc) / standard.scale)
        return statistic(z, ops)

    return float(stated), expected(frozen, function)


def judged_pairs(ps, qs, rel):
    """How many of all pairs are finite (which quadrature judges), infinite and without closed form."""
    found = {"finite": 0, "infinite": 0, "unknown": 0}
    for p in ps.values():
        for q in qs.values():
            try:
                value = kl(p, q)
            except NoClosedFormError:
                found["unknown"] += 1
                continue
            if np.isinf(value):
                found["infinite"] += 1
                (low, high), (q_low, q_high) = p.support(), q.support()
                assert low < q_low or high > q_high or diverges(p, q), (p.dist.name, q.dist.name)
            else:
                found["finite"] += 1
                exact = divergence(p, q)
                assert abs(value - exact) <= rel * abs(exact) + 1e-9, (p.dist.name, q.dist.name)
    return found
