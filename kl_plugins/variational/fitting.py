"""Fits that come with a certificate of how far they are from the best approximation of their family."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pymc as pm
from pymc.model import Model

from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.approximations import variables_of
from kl_plugins.variational.optimum.budget import MOST_EVALUATIONS
from kl_plugins.variational.optimum.draw_counts import FIRST_DRAWS, MOST_DRAWS
from kl_plugins.variational.optimum.progress import progress_line
from kl_plugins.variational.optimum.scale_families import MeanFieldScales, TriangularScales
from kl_plugins.variational.optimum.search import (
    NoFiniteELBOError,
    Optimum,
    find_optimum,
)
from kl_plugins.variational.optimum.starts import starts_at_other_modes, starts_from
from kl_plugins.variational.report.certificate import Certificate
from kl_plugins.variational.target.contents import contents
from kl_plugins.variational.target.density import TargetDensity, model_given_or_in_context
from kl_plugins.variational.target.parameters import Parameters
from kl_plugins.variational.target.settings import (
    Seed,
    check_count,
    check_supported,
    check_tolerance,
    generator,
    start_values,
)

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    from numpy.typing import ArrayLike

    class CertifiedMeanField(pm.MeanField):  # type: ignore[misc]  # PyMC has no types
        """What `fit` makes of PyMC's own object by adding an attribute."""

        certificate: Certificate

    class CertifiedFullRank(pm.FullRank):  # type: ignore[misc]
        """What `fit` makes of PyMC's own object by adding an attribute."""

        certificate: Certificate

    class Options(TypedDict, total=False):
        """What `fit` takes beside the model and the method."""

        start: Mapping[str, ArrayLike] | None
        max_draws: int
        max_evaluations: int
        random_seed: Seed
        progressbar: bool


METHODS = {"advi": pm.MeanField, "fullrank_advi": pm.FullRank}
ENDS_BY_ITSELF = "leave it out: fit stops by itself, at its `tolerance` (in nats) or at `max_evaluations`"
NO_STEPS = "leave it out: fit takes no stochastic steps, so that there is nothing to tune"
NOT_TAKEN = {
    "n": ENDS_BY_ITSELF,
    "callbacks": "leave it out: the certificate says whether the fit converged (KLConvergence is for pm.fit)",
    "score": "leave it out: there are no losses to keep; `approximation.certificate` says what was reached",
    "obj_n_mc": "leave it out: the number of draws is raised until it is enough, up to `max_draws`",
    "obj_optimizer": NO_STEPS,
    "total_grad_norm_constraint": NO_STEPS,
    "start_sigma": "leave it out: scales are found from the curvature of the log density",
    "inf_kwargs": "leave it out, or use pm.fit for other kinds of inference",
}
"""Arguments of ``pm.fit`` that have no meaning here, and what to do instead."""
ELSEWHERE = {"svgd": "pm.fit", "asvgd": "pm.fit", "nuts": "pm.sample", "hmc": "pm.sample"}
"""Methods that users may look for here, and what has them."""


@overload
def fit(
    model: Model | None = None,
    method: Literal["advi"] = "advi",
    tolerance: float = 0.1,
    **options: Unpack[Options],
) -> CertifiedMeanField: ...
@overload
def fit(
    model: Model | None = None,
    *,
    method: Literal["fullrank_advi"],
    tolerance: float = 0.1,
    **options: Unpack[Options],
) -> CertifiedFullRank: ...
@overload
def fit(
    model: Model | None,
    method: Literal["fullrank_advi"],
    tolerance: float = 0.1,
    **options: Unpack[Options],
) -> CertifiedFullRank: ...
@overload
def fit(
    model: Model | None = None,
    method: str = "advi",
    tolerance: float = 0.1,
    **options: Unpack[Options],
) -> CertifiedMeanField | CertifiedFullRank: ...
def fit(
    model: Model | None = None,
    method: str = "advi",
    tolerance: float = 0.1,
    *,
    start: Mapping[str, ArrayLike] | None = None,
    max_draws: int = MOST_DRAWS,
    max_evaluations: int = MOST_EVALUATIONS,
    random_seed: Seed = None,
    progressbar: bool = True,
    **settings_of_pm_fit: Any,
) -> CertifiedMeanField | CertifiedFullRank:
    """Fit a Gaussian approximation to its optimum, and certify how close to it it is.

    A replacement for ``pm.fit`` without learning rates or numbers of iterations: the ELBO over fixed
    quasi-random draws is maximised by L-BFGS, over ever more draws until independent sets of them
    give the same optimum. It starts from the model's initial point (or `start`), with unit scales and at the
    mode above it, and at other modes that climbs from around it and from draws of the prior lead to; the
    best optimum is taken.

    Parameters
    ----------
    model : pymc.Model, optional
        By default the one in context.
    method : {"advi", "fullrank_advi"}
        Mean-field or full-rank.
    tolerance : float
        The largest Jeffreys divergence to the optimum of the family, in nats, that is certified.
    start : dict, optional
        Values of variables where the search starts, by name, as in ``pm.fit``; scalars are broadcast. Of
        optima with about the same ELBO it decides which is taken; a better one elsewhere is preferred. Where
        it leads to no optimum the search begins again where PyMC would start.
    max_draws : int
        The largest number of draws in a set, at least 512; more where hundreds of variables are correlated.
    max_evaluations : int
        How often the log density is evaluated at most, but for the few thousand times that starts and jumps
        are looked for. After so many the fit ends with the best that was found, not certified. How many
        seconds that takes depends on the model: the progress line counts them.
    random_seed : int or sequence of int, optional
    progressbar : bool
        Whether to show the stage, how many evaluations there were and the time that it takes.
    **settings_of_pm_fit
        None: what else ``pm.fit`` takes (``n``, ``callbacks``, ...) is refused with what to do instead.

    Returns
    -------
    pymc.MeanField or pymc.FullRank
        PyMC's own object, ready to ``sample``, with a `Certificate` as its attribute ``certificate``.

    Raises
    ------
    TypeError
        If there is no model, or an argument of ``pm.fit`` that has no meaning here.
    ValueError
        If `start` does not fit the model, naming the variable. If there is no such optimum to be had:
        minibatches without a whole, discrete variables, more than 500 dimensions with "fullrank_advi", a log
        density that is not finite at the start, or −∞ in the reach of every Gaussian. If `max_draws` is too
        small.

    Warns
    -----
    UserWarning
        If the fit could not be certified: it is the best that was found, and ``certificate.reason`` says
        why it is not known to be good. If `start` led nowhere, and the search began elsewhere.

    Notes
    -----
    Gradients do not see a log density jump (``pm.math.switch``, ``floor``, comparisons): where jumps are met
    between draws, and what gradients miss by them is not small beside the tolerance, nothing is certified.

    A model with ``pm.Minibatch`` and ``total_size`` is fitted to all its data. Every evaluation goes through
    them chunk by chunk, so that memory stays bounded; with millions of rows a fit takes minutes. Where there
    is no whole (a potential of a minibatch, rows that a callback hands in, a mean over the batch) that is an
    error.

    Deterministic ADVI: R. Giordano, M. Ingram, T. Broderick (2023), arXiv:2304.05527.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 1e-3)
    ...     y = pm.Normal("y", 1e4 * x, 2.0)
    ...     approximation = variational.fit(
    ...         method="fullrank_advi", random_seed=1, progressbar=False
    ...     )
    >>> approximation.certificate.certified
    True
    >>> approximation.std.eval().round(6)
    array([1.0000000e-03, 1.0198039e+01])
    """
    _refuse(settings_of_pm_fit)
    _check_what_is_fitted(model, method)
    tolerance, max_draws = check_tolerance(tolerance), check_count(max_draws, "max_draws", FIRST_DRAWS)
    max_evaluations = check_count(max_evaluations, "max_evaluations")
    rng = generator(random_seed)
    model = model_given_or_in_context(model, "fit(model)")
    with answered_in_time(), progress_line(progressbar, lasting=True) as report:
        report("compiling the log density")
        values = start_values(model, start)
        target = None if values else TargetDensity(model)
        approximation: CertifiedMeanField | CertifiedFullRank = METHODS[method](model=model, start=values)
        (group,) = approximation.groups
        point = np.array(group.params_dict["mu"].get_value(), dtype=float)
        if target is None or variables_of(approximation) != target.variables:
            check_supported(point, variables_of(approximation))
            target = TargetDensity(model, variables_of(approximation), point if values else None)
        d = target.dimension
        family = MeanFieldScales(d) if method == "advi" else TriangularScales(((d, True),))
        seeds = rng.spawn(1)[0].integers(2**63)

        def search(place: FloatArray) -> Optimum:
            starts = starts_from(target, family, place, np.random.default_rng(seeds))
            report("looking for other optima")
            more = starts_at_other_modes(target.sketch, model, family, place, np.random.default_rng(seeds))
            return find_optimum(
                target, family, starts, tolerance, rng, max_draws, report, more, max_evaluations
            )

        found = _from_start_or_default(search, point, target.initial) if values else search(point)
    parameters = Parameters(approximation)
    parameters.write(found.distribution)
    certificate = Certificate(
        jeffreys=found.jeffreys,
        tolerance=tolerance,
        draws=found.draws,
        starts=found.starts,
        evaluations=target.evaluations,
        seconds=target.seconds(),
        history=found.history,
        other_optima=found.others,
        distribution=found.distribution,
        _not_found=found.reason,
        _parameters=parameters,
        _written=parameters.read(),
        _model=approximation.model,
        _data=contents(approximation.model),
    )
    approximation.certificate = certificate
    approximation.hist = np.empty(0)  # of losses, as pm.fit leaves them
    if not certificate.certified:
        warnings.warn(f"the fit is {certificate}", stacklevel=2)
    return approximation


def _from_start_or_default(
    search: Callable[[FloatArray], Optimum], point: FloatArray, default: FloatArray
) -> Optimum:
    """The optimum from the start that was given, or else from the model's own."""
    try:
        found = search(point)
        if found.led and (found.reached or found.rested):
            return found
        why = found.reason or "the optimiser did not come to rest"
    except NoFiniteELBOError as error:
        why = str(error)
    again = search(default)
    warnings.warn(
        f"the start given led to no optimum ({why}); this fit began where the model starts by itself. "
        "Leave `start` out, or give values nearer to the posterior",
        stacklevel=3,
    )
    return again


def _check_what_is_fitted(model: object, method: object) -> None:
    """Raise where the model or the method is something else that users of ``pm.fit`` may give."""
    for given in (model, method):
        if isinstance(given, int | float):
            raise TypeError(f"fit takes a model, got {given!r}; no number of iterations: {ENDS_BY_ITSELF}")
    if isinstance(model, str) and model.lower() in METHODS:
        raise TypeError(
            f"model must be a pymc.Model, got {model!r}, which is a method: fit(method={model.lower()!r})"
        )
    if isinstance(method, str) and method in METHODS:
        return
    hint, name = "", method.lower() if isinstance(method, str) else None
    if name in METHODS:
        hint = f": did you mean {name!r}?"
    elif name in ELSEWHERE:
        hint = f": that is a method of {ELSEWHERE[name]}"
    raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}{hint}")


def _refuse(settings: dict[str, Any]) -> None:
    for name in settings:
        if name not in NOT_TAKEN:
            raise TypeError(f"fit() got an unexpected keyword argument {name!r}")
        raise TypeError(f"fit takes no {name}, which is pm.fit's: {NOT_TAKEN[name]}")
