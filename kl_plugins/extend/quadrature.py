"""What is stated of a member of a univariate family, held against quadrature or a sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.univariate import Univariate

_MOST = 20_000
"""The largest outcome, in absolute value, that the sums of discrete families go to."""

_DEVIATIONS = (-30.0, -8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0, 30.0)
"""Where integrals are cut, in standard deviations from the mean."""

ROUNDING = 1e-7
"""The relative difference from quadrature that is none."""

_HALVINGS = 30
"""So often a piece of an integral is halved at most."""

_SAMPLE = (-30.0, -3.0, -1.3, -0.7, -0.3, 0.3, 0.7, 1.3, 3.0, 30.0)
"""Standard values at which a density is asked for its value."""


def compare(
    where: str, what: str, stated: Any, exact: float, said: str = "as stated", by: str = "by quadrature"
) -> None:
    stated = float(stated)
    if math.isnan(exact) or (stated == math.inf and not abs(exact) < 1e6):
        return
    if not math.isclose(stated, exact, rel_tol=ROUNDING, abs_tol=ROUNDING):
        raise AssertionError(f"{where}: {what} is {stated:.9g} {said}, but {exact:.9g} {by}")


def described(p: Any) -> str:
    values = ", ".join(f"{name}={getattr(p, name)}" for name in p.parameters)
    return f"{p.describe()}({values})"


def check_is_number(p: Any) -> None:
    """AssertionError where the density is NaN at some places inside its ends, and a number at others."""
    low, high = ends_of(p)
    z = np.array(_SAMPLE) if isinstance(p, Continuous) else np.arange(-30.0, 31.0)
    x = np.sort(p.loc + p.sign * p.scale * z)
    x = x[(low < x) & (x < high)]
    with np.errstate(all="ignore"):
        no_number = np.isnan(p.to_arrays().log_prob(x) + 0.0 * x)
    if no_number.any() and not no_number.all():
        raise AssertionError(
            f"{described(p)}: log_prob is NaN at {x[no_number][-1]:g}, inside its ends ({low:g}, {high:g}): "
            "set ends to where Z lives, such as ends = (0.0, inf), or state standard_ends"
        )


def ends_of(p: Univariate) -> tuple[float, float]:
    """The ends of the support."""
    ends = [float(p.loc + p.sign * p.scale * end) for end in p.standard_ends()]
    return min(ends), max(ends)


def expected(p: Any, function: Callable[[Any], Any], kinks: Sequence[float] = ()) -> float:
    """E_p of a function of x by quadrature, cut at its kinks, or by a sum; NaN where it is not found."""
    made, (low, high) = p.to_arrays(), ends_of(p)

    def weighted(x: Any) -> Any:
        weight = np.exp(made.log_prob(x)) + 0.0 * x
        return np.where(weight > 0.0, weight * function(x), 0.0)

    with np.errstate(all="ignore"):
        if isinstance(p, Discrete):
            middle = float(p.loc)
            return float(
                np.sum(weighted(np.arange(max(low, middle - _MOST), min(high, middle + _MOST) + 0.5)))
            )
        cuts = np.array([*_places(p), *kinks, p.loc], np.float64)
        cuts = np.unique(cuts[(cuts > low) & (cuts < high)])
        if not np.isfinite(weighted(cuts + 1e-9)).all():
            return math.nan
        return _integral(weighted, np.array([low, *cuts, high]))


def _places(p: Continuous) -> Any:
    """Places where the density may be expected to be, some deviations on either side of the mean."""
    mean, variance = (np.nan if x is None else float(x) for x in (p.standard_mean(), p.standard_variance()))
    mean = mean if math.isfinite(mean) else 0.0
    spread = math.sqrt(variance) if 0.0 < variance < math.inf else 1.0
    return p.loc + p.sign * p.scale * (mean + spread * np.array(_DEVIATIONS))


def _integral(function: Callable[[Any], Any], edges: Any) -> float:
    """The integral over the pieces between edges; infinite where it diverges, NaN where it is not found."""
    from scipy.integrate import tanhsinh

    found = tanhsinh(function, edges[:-1], edges[1:], rtol=1e-10)
    total = float(np.sum(found.integral))
    error = np.sum(found.error) / max(1.0, abs(total))
    if error > 1e-8:
        return math.nan if error <= 1e-2 else math.inf
    return total + _corrections(function, edges, found.integral, 1e-9 * max(1.0, abs(total)))


def _corrections(function: Callable[[Any], Any], edges: Any, values: Any, small: float) -> float:
    """What is added by halving the pieces where that changes something: the rule misjudges kinks in them."""
    from scipy.integrate import tanhsinh

    lows, highs, correction = edges[:-1], edges[1:], 0.0
    for _ in range(_HALVINGS):
        finite = np.isfinite(lows) & np.isfinite(highs)
        lows, highs, values = lows[finite], highs[finite], values[finite]
        if not lows.size:
            break
        middles = 0.5 * (lows + highs)
        lower = tanhsinh(function, lows, middles, rtol=1e-10).integral
        upper = tanhsinh(function, middles, highs, rtol=1e-10).integral
        change = lower + upper - values
        correction += float(np.sum(change))
        changed = abs(change) > small
        lows, highs = (
            np.concatenate(pair)
            for pair in ((lows[changed], middles[changed]), (middles[changed], highs[changed]))
        )
        values = np.concatenate([lower[changed], upper[changed]])
    return correction
