"""estimate_kl: learn what both sides are like, choose a method, and say how far it can be relied on."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kl_plugins.errors import EstimateWarning, HasNames
from kl_plugins.estimate.batches import one_by_one, result_of
from kl_plugins.estimate.clock import Clock
from kl_plugins.estimate.draws.sample import are_draws
from kl_plugins.estimate.result import KLEstimate, Method
from kl_plugins.estimate.sides import batch_of, density_of_side, undefined, warn_of_present_values
from kl_plugins.families.independent import factors_of
from kl_plugins.interrupts import answered_in_time
from kl_plugins.labelled import whose_names
from kl_plugins.progress import AFTER, Report, no_report, progress_line

if TYPE_CHECKING:
    from typing import Literal, TypeAlias, TypedDict, Unpack

    from numpy.typing import NDArray

    from kl_plugins.signatures import Batch, Scalar, Untold

    Seed: TypeAlias = int | np.integer[Any] | np.random.Generator | np.random.RandomState | None
    MethodName: TypeAlias = Literal["exact sum", "quadrature", "monte carlo"]

    class Options(TypedDict, total=False):
        """What `estimate_kl` takes beside a pair."""

        method: MethodName | str | None
        draws: int
        tolerance: float
        random_state: Seed
        time_limit: float
        progressbar: bool


_MEASURES = {Method.SUM: "discrete", Method.QUADRATURE: "continuous"}
_METHODS = (*_MEASURES, Method.MONTE_CARLO)


@overload
def estimate_kl(p: Untold, q: Untold | Scalar | Batch, **options: Unpack[Options]) -> KLEstimate: ...
@overload
def estimate_kl(p: Scalar | Batch, q: Untold, **options: Unpack[Options]) -> KLEstimate: ...
@overload
def estimate_kl(  # type: ignore[overload-overlap]  # a number is a batch of SciPy's, too
    p: Scalar, q: Scalar, **options: Unpack[Options]
) -> KLEstimate[float, bool]: ...
@overload
def estimate_kl(
    p: Scalar | Batch, q: Scalar | Batch, **options: Unpack[Options]
) -> KLEstimate[NDArray[np.float64], NDArray[np.bool_]]: ...
@overload
def estimate_kl(p: object, q: object, **options: Unpack[Options]) -> KLEstimate: ...
def estimate_kl(
    p: object,
    q: object,
    *,
    method: MethodName | str | None = None,
    draws: int = 20_000,
    tolerance: float = 1e-9,
    random_state: Seed = None,
    time_limit: float = 10.0,
    progressbar: bool = True,
) -> KLEstimate:
    """Estimate KL(p‖q), in nats, with its error, where no closed form is known.

    Parameters
    ----------
    p, q : distributions
        Frozen ``scipy.stats`` distributions, univariate and multivariate, SciPy's new ones (mixtures,
        transformed, truncated and custom ones too), PyMC random variables whose parameters are numbers,
        distributions of this library, or objects with ``logpdf`` (``logpmf``, ``log_prob``) and ``rvs``
        (``sample``); see `kl_plugins.extend.density_of` to teach it another class. Also draws, on either
        side or both: an array of shape (n,) or (n, d), a Series, DataFrame, DataArray, Dataset, InferenceData
        or DataTree, or what `kl_plugins.draws` makes of them.
    method : {"exact sum", "quadrature", "monte carlo"}, optional
        Default: the sum for univariate discrete pairs, quadrature for univariate continuous ones, else Monte
        Carlo. Draws have methods of their own.
    draws : int
        How many draws Monte Carlo takes from `p`, and again from `q`.
    tolerance : float
        The relative error that sums and quadratures go to.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState
        Seed of Monte Carlo, and of the bias of estimates from draws, as in SciPy.
    time_limit : float
        After so many seconds, for the whole batch, the best so far is returned, with its error, as not
        converged. The first call of a log density or sampler, which may compile it, does not count. Nothing
        else depends on time.
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook, once it takes two seconds.

    Returns
    -------
    KLEstimate
        With ``value``, ``error``, ``method``, ``n`` and ``converged``; arrays of the broadcast batch
        shape of `p` and `q` (DataArrays, by the names of dimensions, where parameters are arrays of
        xarray), or floats. Never negative; ``inf`` where `p` was seen where `q` is zero, and where
        the integral was seen to diverge; NaN, not converged, only where a parameter is NaN.

    Warns
    -----
    EstimateWarning
        If a value is not to be relied on; `converged` is then False. Its error is infinite, or what can be
        said of it. If a parameter depends on a shared variable (``pm.Data``, too), at whose present value the
        estimate is.

    Raises
    ------
    TypeError
        If a side has no density, or Monte Carlo needs a sampler that it does not have; if draws are not
        numbers.
    ValueError
        If a side is symbolic, event shapes differ, the method is not for the pair, an option is not what it
        has to be, or a log density or sampler fails or returns arrays of a wrong shape; if draws are NaN, too
        few, constant, rounded, or of other variables than those of the other side.

    Notes
    -----
    Sums and integrals are of q − p + p log(p/q), nowhere negative, so that nothing cancels where p ≈ q. They
    find the masses of both sides on the way, which shows whether something was missed. Monte Carlo draws from
    both sides and averages the same over their mean density; see J. Schulman, Approximating KL divergence,
    2020, http://joschu.net/blog/kl-approx.html, and E. Veach and L. Guibas, Optimally combining sampling
    techniques, 1995. Its tails are judged by Pareto k̂ (A. Vehtari et al., 2024, arXiv:1507.02646).
    Draws are mapped to normal ones, as far as they tell, and nearest neighbours find the rest (Q. Wang, S.
    Kulkarni and S. Verdú, 2009); the bias of both is that of as many normal draws. Discrete ones are counted
    (Z. Zhang and M. Grabchak, 2014).

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import estimate_kl
    >>> found = estimate_kl(stats.laplace(), stats.cauchy())
    >>> found.method, round(found.value, 9), found.error < 1e-8
    ('quadrature', 0.138338628, True)
    >>> estimate_kl(stats.cauchy(), stats.norm()).value
    inf
    >>> round(estimate_kl(stats.poisson(4.0), stats.nbinom(4, 0.5)).value, 9)
    0.093503796
    >>> p, q = stats.dirichlet([1.0, 2.0, 3.0]), stats.dirichlet([2.0, 2.0, 2.0])
    >>> estimate_kl(p, q, random_state=1)
    KLEstimate(0.8107 ± 0.006, monte carlo, n=40000)
    >>> x = stats.norm(0.0, 1.0).rvs(1000, random_state=1)
    >>> from_draws = estimate_kl(x, stats.norm(1.0), random_state=1)  # the truth is 0.5
    >>> from_draws.method, abs(from_draws.value - 0.5) < 2 * from_draws.error
    ('nearest neighbours', True)
    """
    with progress_line(progressbar, after=AFTER) as report:
        found, why = estimate(
            p,
            q,
            method=method,
            draws=draws,
            tolerance=tolerance,
            random_state=random_state,
            time_limit=time_limit,
            report=report,
        )
    if why:
        said = (
            f"{found.method.phrase} not to be relied on" if not np.all(found.converged) else "it is infinite"
        )
        warnings.warn(f"{said}: {why}", EstimateWarning, stacklevel=2)
    return found


def estimate(
    p: object,
    q: object,
    *,
    method: MethodName | str | None = None,
    draws: int = 20_000,
    tolerance: float = 1e-9,
    random_state: Seed = None,
    time_limit: float = 10.0,
    report: Report = no_report,
) -> tuple[KLEstimate, str]:
    """As `estimate_kl`: the estimate, and why it is not to be relied on, if it is not."""
    if method is not None and method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _METHODS))}, got {method!r}")
    if not isinstance(draws, Integral) or draws < 2:
        raise ValueError(f"draws must be a whole number, at least 2, got {draws!r}")
    if not _is_number(tolerance) or not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance must be a number between 0 and 1, got {tolerance!r}")
    if not _is_number(time_limit) or not time_limit > 0.0:
        raise ValueError(f"time_limit must be a positive number of seconds, got {time_limit!r}")
    rng = generator_of(random_state)
    if are_draws(p) or are_draws(q):
        from kl_plugins.estimate.draws.door import estimate_from_draws

        if method is not None:
            raise ValueError(f"draws have their own methods, so that method must be None, got {method!r}")
        return estimate_from_draws(
            p, q, density_of_side, count=draws, rng=rng, time_limit=time_limit, report=report
        )
    options = {"draws": draws, "tolerance": tolerance, "random_state": rng, "time_limit": time_limit}
    if (factors := factors_of(p, q)) is not None:
        found, why = estimate(*factors, method=method, report=report, **options)
        sums = found.value.sum(-1), found.error.sum(-1)
        return result_of(sums[0], sums[1], found.method, found.n, found.converged.all(-1)), why
    try:
        sides = density_of_side(p, "p"), density_of_side(q, "q")
        named = False
    except HasNames:
        named = True
    if named:
        report(f"estimating KL(p‖q) by name, for at most {time_limit:g} s")
        return _by_name(p, q, method=method, progressbar=False, **options), ""
    warn_of_present_values(p=p, q=q)
    batch = batch_of(*sides)
    measures = [side.measure for side in sides]
    if measures[0] != measures[1] and measures != ["continuous", "mixed"]:
        return result_of(np.full(batch, np.inf), np.zeros(batch), Method.SUPPORT, 0, np.full(batch, True)), ""
    univariate = sides[0].event_shape == ()
    fit = [kind for kind in _METHODS if univariate and set(measures) == {_MEASURES.get(kind)}]
    chosen = (fit or [Method.MONTE_CARLO])[0] if method is None else Method(method)
    if chosen not in (*fit, Method.MONTE_CARLO):
        raise ValueError(f"the method {method!r} is for univariate {_MEASURES[chosen]} pairs")
    unknown, of_unknown = undefined(*sides, batch)
    if unknown.all():
        nan = np.full(batch, np.nan)
        return result_of(nan, nan, chosen, 0, ~unknown), of_unknown
    clock = Clock(time_limit)
    report(f"estimating KL(p‖q) by {chosen}, for at most {time_limit:g} s")
    if chosen is Method.MONTE_CARLO:
        from kl_plugins.estimate.monte_carlo import monte_carlo  # the methods are loaded when they serve

        with answered_in_time():
            value, error, n, good, why = monte_carlo(*sides, draws, rng, clock)
        return result_of(value, error, chosen, n, good & ~unknown), of_unknown or why
    with answered_in_time():
        return one_by_one(*sides, chosen, tolerance, (unknown, of_unknown), clock, report)


def _by_name(p: object, q: object, **options: Any) -> KLEstimate:
    """The estimates by the names of dimensions, which the value, the error and `converged` have of xarray.

    Those of pymc.dims have the dimensions of p in order, and then those that only q has.
    """
    sides = {"p": p, "q": q}
    who, found = whose_names(sides)
    if who.symbolic:  # PyTensor evaluates what is known of a graph
        return estimate_kl(*who.stand_ins(sides, found), **options)
    if who.lazy(found):
        raise ValueError(
            "estimates need numbers at once, not a graph: .compute() the parameters of p and q first"
        )
    for side, obj in sides.items():
        if found[side] is None and np.prod(density_of_side(obj, side).batch_shape) != 1:
            raise ValueError(
                f"{side} has a batch without names of dimensions, beside a side that has them, and nothing "
                "goes by position there: give its parameters names, xarray.DataArray(values, dims=...)"
            )
    plain: list[KLEstimate] = []

    def parts(p: object, q: object) -> tuple[Any, Any, Any]:
        plain.append(estimate_kl(p, q, **options))
        return plain[0].value, plain[0].error, plain[0].converged

    value, error, converged = who.compute(parts, sides, found, ("kl", "error", "converged"))
    return replace(plain[0], value=value, error=error, converged=converged)


def _is_number(value: object) -> bool:
    """Whether an option that has to be a number is one; True is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def generator_of(random_state: Any) -> np.random.Generator:
    """A generator for whatever SciPy takes as random_state."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.Generator(random_state._bit_generator)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise ValueError(
            "random_state must be None, a whole number that is not negative, a numpy.random.Generator or a "
            f"numpy.random.RandomState, got {random_state!r}"
        ) from None
