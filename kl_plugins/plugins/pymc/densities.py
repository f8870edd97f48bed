"""PyMC's random variables as estimates see them: drawn by PyMC, densities by pm.logp, compiled once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.mixture import MixtureRV
from pymc.distributions.multivariate import CARRV, ICARRV, ZeroSumNormalRV
from pymc.distributions.shape_utils import change_dist_size
from pymc.distributions.transforms import _default_transform
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.op import Op
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.random.type import RandomType

from kl_plugins.errors import NoClosedFormError
from kl_plugins.estimate.density import Density, density_of, on_subspace
from kl_plugins.estimate.families import unknown_in
from kl_plugins.estimate.unknown import Unknown, nan_among
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.maps import are_monotone
from kl_plugins.families.mixture import Mixture
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops.protocol import Array, FloatArray
from kl_plugins.plugins.pymc.log_densities import MODE, log_density_of
from kl_plugins.plugins.pytensor.functions import function_of
from kl_plugins.plugins.pytensor.graph import original
from kl_plugins.plugins.pytensor.not_random import is_random, not_random, random_ones
from kl_plugins.plugins.pytensor.random_variables import density
from kl_plugins.recognition import parameters_as_written, recognise


@density.register(Op)
def _(op: Op, variable: Variable) -> Density:
    """Of a random variable whose parameters are numbers."""
    found = _remembered(variable)
    if any(
        isinstance(x, SharedVariable) and not isinstance(x.type, RandomType) for x in ancestors([variable])
    ):
        return _density(variable, found.log_density)  # its support and its shape may have changed
    return found


@lru_cache(maxsize=128)  # which holds the variables, as what draws of them does, too
def _remembered(variable: Variable) -> Density:
    """What was found when the variable was looked at first; the log density is compiled once."""
    return _density(variable)


def _density(variable: Variable, log_density: Callable[[FloatArray], FloatArray] | None = None) -> Density:
    """`log_density` is what was compiled for it before."""
    variable = original(variable)
    source = variable if is_random(variable) else _mapped(variable)
    _require_values(variable)
    if isinstance(variable.owner.op, CARRV | ICARRV):
        return _gaussian(variable)
    if source is not variable:
        known = _on_subspace(variable) if _sums_to_zero(source) else _recognised(variable)
        if known is not None:
            return _density_of_family(known)
    log_density = log_density or log_density_of(variable)
    shape = tuple(int(length) for length in variable.shape.eval(mode=MODE))
    event_ndim = source.owner.op.ndim_supp
    batch, event = shape[: len(shape) - event_ndim], shape[len(shape) - event_ndim :]
    discrete = np.dtype(variable.dtype).kind in "iub"
    measure = "discrete" if discrete else "mixed" if _has_atoms(variable) else "continuous"
    if type(variable.owner.op).__name__ in ("DirichletRV", "StickBreakingWeightsRV"):
        measure = "simplex"
    elif _sums_to_zero(variable):
        measure = on_subspace(math.prod(length - 1 for length in event))
    found = Density(
        name=type(variable.owner.op).__name__.removesuffix("RV"),
        measure=measure,
        log_density=log_density,
        sample=_sampler(variable, source),
        support=None if discrete or event or measure == "mixed" else _support_of_image(variable, source),
        batch_shape=batch,
        event_shape=event,
        unknown=_unknown(source),
    )
    return _with_components(found, variable) if isinstance(variable.owner.op, MixtureRV) else found


def _with_components(found: Density, variable: Variable) -> Density:
    """The density of a mixture with where its components live, which may be a subspace."""
    made = _recognised(variable)
    if not isinstance(made, Mixture):
        return found
    known = density_of(_in_numbers(made, _numbers_of(made)))
    return replace(found, measure=known.measure, quantile=known.quantile)


def _unknown(variable: Variable) -> Unknown:
    """The parameters of a random variable that are NaN, by PyMC's names where these are known."""
    made = _recognised(variable)
    if made is None:
        op = variable.owner.op
        if not (isinstance(op, RandomVariable) or getattr(op, "extended_signature", None)):
            return {}  # as of pm.Truncated, which has no list of parameters
        inputs = op.dist_params(variable.owner)
        cores = getattr(op, "ndims_params", None) or (0,) * len(inputs)
        constants = [(x, core) for x, core in zip(inputs, cores, strict=False) if isinstance(x, Constant)]
        return nan_among(("a parameter", x.data, core) for x, core in constants)
    numbers = _numbers_of(made)
    values: list[Any] = [numbers.get(id(value), value) for value in made.values()]
    if not any(np.isnan(value).any() for value in values):
        return {}
    called = {
        ours: words if isinstance(words, str) else words[0]
        for ours, words in parameters_as_written(variable).items()
    }
    return {called.get(ours, ours): where for ours, where in unknown_in(_in_numbers(made, numbers)).items()}


def _recognised(variable: Variable) -> Distribution | None:
    """One of our distributions for the variable; None where it is none."""
    try:
        return recognise(variable)
    except (TypeError, NoClosedFormError):
        return None


def _sums_to_zero(variable: Variable) -> bool:
    return isinstance(variable.owner.op, ZeroSumNormalRV)


def _on_subspace(variable: Variable) -> Distribution:
    """Of a function of an array that sums to zero, whose points PyMC would look for in all dimensions."""
    try:
        return recognise(variable)
    except NoClosedFormError as error:
        raise TypeError(str(error)) from error


def _numbers_of(made: Distribution) -> dict[int, FloatArray]:
    """What its variables are, by their identities."""
    values = [value for value in made.values() if isinstance(value, Variable)]
    if all(isinstance(value, Constant) for value in values):
        return {id(value): value.data for value in values}
    return dict(zip(map(id, values), pytensor.function([], values, mode=MODE)(), strict=True))


def _in_numbers(made: Any, numbers: Mapping[int, FloatArray]) -> Any:
    """The same of the numbers of its variables, checked as what a caller makes of numbers is."""
    state = {
        name: tuple(map(_known_length, value)) if isinstance(value, tuple) else numbers.get(id(value), value)
        for name, value in made.__getstate__().items()
    }
    state |= made.parts_by(lambda part: _in_numbers(part, numbers))
    return type(made)(**state)


def _known_length(size: Any) -> Any:
    """A length that is a variable of the graph as a number."""
    return int(size.eval(mode=MODE)) if isinstance(size, Variable) else size


def _gaussian(variable: Variable) -> Density:
    """Of pm.CAR, whose draws have other covariances than its density, and of pm.ICAR, which has no draws.

    Both densities lack a constant in PyMC 5.28 and 6.4 at least; it matters where the sides' differ.
    """
    made = recognise(variable)
    assert isinstance(made, MultivariateNormal)
    return _density_of_family(made)


def _density_of_family(made: Distribution) -> Density:
    """That of its numbers; ValueError where what it was computed from is not as it has to be."""
    holds, texts = [holds for holds, _ in made.premises], [text for _, text in made.premises]
    for found, text in zip(pytensor.function([], holds, mode=MODE)(), texts, strict=True):
        if not np.all(found):
            raise ValueError(text)
    return density_of(_in_numbers(made, _numbers_of(made)))


def _mapped(variable: Variable) -> Variable:
    """The random variable that this one is a function of; TypeError where it is none."""
    source = variable
    if variable.owner is not None and isinstance(variable.owner.op, Elemwise):
        source = function_of(variable).of
    if not is_random(source) and (_recognised(source) is None or _recognised(variable) is None):
        raise not_random(variable)  # of a combination of Gaussian variables densities are those of families
    return random_ones(source)[0]


def _require_values(variable: Variable) -> None:
    """ValueError where a parameter is symbolic."""
    name = type(variable.owner.op).__name__
    for source in ancestors([variable]):
        if source.owner is None and not isinstance(source, Constant | SharedVariable):
            raise ValueError(f"{name} depends on {source}, which has no value: estimates need numbers")


def _has_atoms(variable: Variable) -> bool:
    return any(
        source.owner is not None and type(source.owner.op).__name__ in ("CensoredRV", "DiracDeltaRV")
        for source in ancestors([variable])
    )


def _support(variable: Variable) -> tuple[Array, Array] | None:
    """The support, from the transform with which PyMC would sample it; None where that does not tell."""
    node = variable.owner
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            transform = _default_transform(node.op, variable)
        except NotImplementedError:
            return None
    name = type(transform).__name__
    if name != "Interval":
        return {"LogTransform": (0.0, np.inf), "LogOddsTransform": (0.0, 1.0)}.get(name)
    low, high = (
        None if end is None else pt.as_tensor(end).eval(mode=MODE).astype(float)
        for end in transform.args_fn(*node.inputs)
    )
    return -np.inf if low is None else low, np.inf if high is None else high


def _support_of_image(variable: Variable, source: Variable) -> tuple[Array, Array] | None:
    """That of a function of a random variable is between the images of the ends of that one's.

    PyMC's densities of arctangents go on beyond them.
    """
    support = _support(source)
    if source is variable:
        return support
    low, high = (-np.inf, np.inf) if support is None else support
    if not are_monotone(function_of(variable).maps, positive=bool(np.all(np.asarray(low) >= 0.0))):
        return None
    shape = source.shape.eval(mode=MODE)
    ends = [pt.constant(np.broadcast_to(end, shape), dtype=source.dtype) for end in (low, high)]
    images = pytensor.function([], [clone_replace(variable, {source: end}) for end in ends], mode=MODE)()
    return np.minimum(*images), np.maximum(*images)


def _sampler(variable: Variable, source: Variable) -> Callable[[int, np.random.Generator], FloatArray]:
    """Draws of the variable, which is random itself or a function of `source`."""

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        seed = int(rng.integers(2**31 - 1))
        try:
            many = change_dist_size(source, (count,), expand=True)
        except NotImplementedError:
            drawn = np.asarray(pm.draw(variable, draws=count, random_seed=seed))
            return drawn[None] if count == 1 else drawn
        if source is not variable:
            many = vectorize_graph(variable, {source: many})
        return np.asarray(pm.draw(many, random_seed=seed, mode=MODE))

    return sample
