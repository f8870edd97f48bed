"""Penalised-complexity priors (Simpson et al. 2017) as random variables of PyMC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, cast

import pymc as pm
from pymc.distributions.transforms import Interval
from pymc.util import UNSET

from kl_plugins.priors.arguments import (
    check_family,
    check_named,
    check_places,
    check_probability,
    check_shape,
    check_unnamed,
    checked_bounds,
    number,
    plain,
)
from kl_plugins.priors.distance import Distance
from kl_plugins.priors.divergence import Family, Graph
from kl_plugins.priors.exponential_distance import ExponentialDistance
from kl_plugins.priors.sides import NEGLIGIBLE

EVERYWHERE = (-math.inf, math.inf)

InModel = ParamSpec("InModel")
Outside = ParamSpec("Outside")


class MakesVariables(Protocol[InModel, Outside]):
    """A function that adds a variable to the current model, and as its attribute one that only makes it."""

    dist: Callable[Outside, Graph]

    def __call__(self, *args: InModel.args, **settings: InModel.kwargs) -> Graph: ...


def _with_dist(
    dist: Callable[Outside, Graph],
) -> Callable[[Callable[InModel, Graph]], MakesVariables[InModel, Outside]]:
    """Give a function the attribute `dist`, as PyMC's distributions have it."""

    def joined(function: Callable[InModel, Graph]) -> MakesVariables[InModel, Outside]:
        @wraps(function)
        def add(*args: Any, **settings: Any) -> Graph:
            check_named(args, settings)
            return function(*args, **settings)

        @wraps(dist)
        def make(*args: Any, **settings: Any) -> Graph:
            check_unnamed(args, settings)
            return dist(*args, **settings)

        both = cast(MakesVariables[InModel, Outside], add)
        both.dist = make
        return both

    return joined


def dist(
    family: Family,
    base: Any,
    *,
    at: float,
    probability: float,
    bounds: tuple[float, float] = EVERYWHERE,
    shape: int | Sequence[int] | None = None,
) -> Graph:
    """The random variable of `pc_prior` by itself, outside of a model."""
    methods, _ = _made(family, base, at, probability, bounds, shape)
    return pm.CustomDist.dist(**methods, shape=shape)


@_with_dist(dist)
def pc_prior(
    name: str,
    family: Family,
    base: Any,
    *,
    at: float,
    probability: float,
    bounds: tuple[float, float] = EVERYWHERE,
    dims: str | Sequence[str] | None = None,
    shape: int | Sequence[int] | None = None,
    initval: Any = None,
    transform: Any = UNSET,
) -> Graph:
    """A penalised-complexity prior of a parameter, as a random variable of the current PyMC model.

    The parameter makes a model more complex than a simpler *base* model. The prior is stated by how far the
    two are apart: the distance d(θ) = √(2 KL(family(θ) ‖ base)) has an exponential distribution, so that the
    base model is the most likely one and each step away from it costs the same. You choose how fast it
    decays by a statement about the parameter: the distance is larger than that of `at` with this
    `probability`.

    ``pc_prior.dist(family, base, at=..., probability=..., bounds=..., shape=...)`` makes the variable outside
    of a model, as ``pm.Normal.dist`` does.

    Parameters
    ----------
    name : str
        The name of the variable in the model.
    family : callable
        A function of the parameter, a symbolic scalar, that returns a distribution: of PyMC
        (``lambda sigma: pm.Normal.dist(0, sigma)``), or one that `kl_plugins.kl` knows. It depends on nothing
        else that varies, such as another variable or ``pm.Data``.
    base : float or distribution
        The simpler model. A value of the parameter, which may be infinite or one of the bounds; or a
        distribution that the family tends to at one of the bounds, as Student's t tends to the normal.
    at : float
        A value of the parameter inside the bounds, other than the base.
    probability : float
        The probability, between 0 and 1, of a larger distance than that of `at`. For a base inside the
        bounds both sides have half of the mass, so that for a correlation with base 0 it is P(\\|ρ\\| > at).
    bounds : (float, float)
        The lowest and the highest value of the parameter, both excluded. In a model the variable is
        transformed to the real line.
    dims : str or sequence of str, optional
        Names of dimensions in the model.
    shape : int or sequence of int, optional
        The shape of the variable: independent parameters with the same prior.
    initval : optional
        Where sampling starts, as in PyMC's distributions. By default it is the value at which the distance
        has its median, on the side of `at`.
    transform : optional
        Another transform than that from `bounds` to the real line, as in PyMC's distributions; None for none.

    Returns
    -------
    TensorVariable
        The random variable.

    Raises
    ------
    TypeError
        If there is no model in context; if `family` is no function that returns a distribution, or an
        argument is of another kind than it has to be.
    ValueError
        If `at` is the base or outside of `bounds`, or the base is; if `probability` is not between 0 and 1,
        or larger than bounded distances allow; if the distance does not grow from the base towards the
        bounds, or is infinite or not a number before them; if every divergence from the base is infinite,
        and ratios of them have no limit as it is approached.
    NoClosedFormError
        If the divergence of the family from the base has no closed form.

    Notes
    -----
    Where every divergence from the base is infinite, as from a standard deviation of 0, the distance is known
    up to a factor, which the statement about `at` settles: d is then the limit of d(θ) / d(at) as the base is
    approached. The prior does not depend on how the parameter is written: a log standard deviation with base
    ``-np.inf`` has the same prior as the standard deviation with base 0.

    So near to a finite base that the distance is below 10⁻⁶ of that of `at`, it is continued as a power of
    the difference from the base, because the slope of the divergence has no digits left there. The density
    is right in this gap, its gradient is only that of the power.

    A side ends before its bound where the divergence overflows, if less than 10⁻⁶ of the mass is beyond.

    Draws are made by Python. Where Numba compiles, as by default in PyMC 6, PyTensor warns of that ("object
    mode") when a function that draws is built, as for every ``pm.CustomDist`` with ``random``.

    Some have names. A standard deviation with base 0 is exponential: ``pm.Exponential("sigma",
    -log(probability) / at)``. The range of a Matérn field in D dimensions with an infinite range as base has
    an exponential ``range ** (-D / 2)`` (Fuglstad et al. 2019, arXiv:1503.00256), which is not the limit of
    a family on a finite window; in the plane it is ``pm.InverseGamma("range", 1, -log(probability) * at)``,
    with P(range < at) = probability.

    D. Simpson, H. Rue, A. Riebler, T. G. Martins, S. H. Sørbye (2017), Penalising model component
    complexity, Statistical Science 32(1), arXiv:1403.4630.

    Examples
    --------
    The shape of a Weibull distribution, with the exponential distribution (shape 1) as base; both sides of it
    together are as far away as shape 2 with a probability of 0.1:

    >>> import numpy as np
    >>> import pymc as pm
    >>> from kl_plugins.priors import pc_prior
    >>> with pm.Model() as model:
    ...     shape = pc_prior(
    ...         "shape", lambda a: pm.Weibull.dist(a, 1.0), 1.0, at=2.0, probability=0.1, bounds=(0, np.inf)
    ...     )
    ...     waiting = pm.Weibull("waiting", shape, 1.0, observed=[0.3, 1.2, 0.8])
    >>> draws = pm.draw(shape, 10_000, random_seed=1, mode="FAST_COMPILE")
    >>> bool(np.isclose(np.mean(draws > 2.0), 0.05, atol=0.01))
    True
    """
    methods, bounds = _made(family, base, at, probability, bounds, shape)
    lower, upper = (end if math.isfinite(end) else None for end in bounds)
    return pm.CustomDist(
        name,
        **methods,
        dims=dims,
        shape=shape,
        initval=initval,
        transform=transform,
        default_transform=None if lower is None and upper is None else Interval(lower, upper),
    )


def _made(
    family: Family, base: Any, at: Any, probability: Any, bounds: Any, shape: Any
) -> tuple[dict[str, Any], tuple[float, float]]:
    """What PyMC's `CustomDist` takes, and the bounds as numbers."""
    check_family(family)
    at, probability, base = number(at, "at"), number(probability, "probability"), plain(base)
    bounds = checked_bounds(bounds)
    check_probability(probability)
    check_places(base, at, bounds)
    check_shape(shape)
    enough = math.log(NEGLIGIBLE) / math.log(probability)
    prior = ExponentialDistance(Distance(family, base, at, bounds, enough), bounds, probability)
    methods = {
        "logp": prior.logp,
        "logcdf": prior.logcdf,
        "random": prior.random,
        "support_point": prior.support_point,
        "class_name": "PCPrior",
    }
    return methods, bounds
