"""The KL terms of priors: what a Gaussian approximation, as a function of noise, is away from each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytensor
import pytensor.tensor as pt
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.distributions.multivariate import ZeroSumNormalRV
from pymc.distributions.transforms import ZeroSumTransform
from pymc.logprob.transforms import LogOddsTransform, LogTransform
from pymc.model import Model
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.dispatch import kl_of_sides
from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.affine import affine_map, outside
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.logit_normal import LogitNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.matching import told_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_is
from kl_plugins.plugins.pytensor.graph import without_names
from kl_plugins.plugins.pytensor.lowering import lowered
from kl_plugins.recognition import as_written, recognise
from kl_plugins.variational.target.parts import Part, Parts
from kl_plugins.variational.target.transforms import kind_of

_CONSTRAINED: dict[type, Callable[[Array, Array], Distribution]] = {
    type(None): Normal,
    ZeroSumTransform: Normal,  # its coordinates are those of an orthonormal basis
    LogTransform: lambda mean, scale: LogNormal(Normal(mean, scale)),
    LogOddsTransform: LogitNormal,
}
"""By the transform of a variable, the family of a coordinate that is normal after it."""


def parents(model: Model, rv: Any) -> list[Any]:
    """The free variables that the prior of a variable depends on, without those that these depend on."""
    above = set(ancestors(rv.owner.inputs, blockers=model.free_RVs))
    return [other for other in model.free_RVs if other in above]


def terms_of_noise(model: Model, parts: Parts, chosen: Sequence[Any], estimated: bool) -> list[Array]:
    """The terms as graphs over the noise of the approximation's groups."""
    terms, refused = [], {}
    for rv in chosen:
        name = model.rvs_to_values[rv].name
        if name not in parts:
            raise ValueError(f"{rv.name!r} was added to the model after the approximation was made")
        part = parts.part(name, given=_depends_on_coupled(model, parts, rv))
        try:
            term = closed_form(rv, model.rvs_to_transforms[rv], part, parts.shape(name))
        except (TypeError, NoClosedFormError) as error:
            refused[rv] = getattr(error, "why", None) or str(error)
            term = pt.zeros(())
            if estimated:
                log_prior = model.logp(vars=[rv], sum=False)[0].sum()
                # The density of a variable of pymc.dims is a variable with names of dimensions.
                log_prior = pt.as_tensor(log_prior, allow_xtensor_conversion=True)
                term = parts.part(name, given=True).log_density() - log_prior
        terms.append(term)
    if refused and not estimated:
        raise _refusal(model, refused)
    over_values = model.replace_rvs_by_values(terms)
    values = {value: parts.draw(value.name) for value in map(model.rvs_to_values.get, model.free_RVs)}
    found: list[Array] = lowered(graph_replace(over_values, values, strict=False))
    return found


def _depends_on_coupled(model: Model, parts: Parts, rv: Any) -> bool:
    """Whether the prior depends on variables that the approximation couples to this one.

    Raises
    ------
    ValueError
        If one of them does not come before it.
    """
    name = model.rvs_to_values[rv].name
    coupled = parts.coupled(name)
    found = [parent for parent in parents(model, rv) if model.rvs_to_values[parent].name in coupled]
    for parent in found:
        if not parts.is_before(model.rvs_to_values[parent].name, name):
            raise ValueError(
                f"the prior of {rv.name!r} depends on {parent.name!r}, which comes after it in a full-rank "
                f"group: name it before {rv.name!r} in pm.Group, or put each in a group of its own"
            )
    return bool(found)


def closed_form(rv: Any, transform: Any, part: Part, shape: tuple[int, ...]) -> Array:
    """The divergence of a part of the approximation from the prior of the variable.

    It is that of the part from a product of its members, which are independent under the prior, plus that of
    the product from the prior: normal coordinates of standard deviations s are ∑ log s − ∑ log own away from
    independent ones. The same is left of the variables before this one.

    Raises
    ------
    InfiniteTermError
        If the part leaves the support of the prior, whatever its parameters.
    NoClosedFormError
        If no closed form is known.
    """

    def divergence_of(part: Distribution, prior: Any) -> Array:
        return kl_of_sides(part, prior, sides, (part, prior)).sum()

    sides = f"the approximation of {rv.name!r}", f"the prior of {rv.name!r}"
    try:
        prior = _prior(rv, transform)
    except ValueError as error:
        raise told_of(error, sides[1]) from error
    # Errors are in its words.
    written = prior if kind_of(transform) is ZeroSumTransform else without_names(rv)
    if not isinstance(prior, MultivariateNormal):
        single = _CONSTRAINED[kind_of(transform)](part.mean.reshape(shape), part.scale.reshape(shape))
        _check_support(rv, single, prior)
        divergence = divergence_of(single, written)
        return divergence if part.root is None else divergence + pt.log(part.scale / part.own).sum()
    if prior.covariance.is_singular:
        raise _infinite(rv, "ZeroSumTransform([-1])")
    if len(prior.event_shape) > 1:
        written = prior = MultivariateNormal(prior.mean, prior.covariance)  # over the entries of a matrix
        shape = (*shape[:-2], shape[-2] * shape[-1])
    mean = part.mean.reshape(shape)
    if part.root is None:
        return divergence_of(MultivariateNormal(mean, DiagonalScales(part.scale.reshape(shape))), written)
    if part.alone and len(shape) == 1:
        return divergence_of(MultivariateNormal(mean, Cholesky(part.root)), written)
    rows = part.root.reshape((*shape, part.root.shape[-1]))
    covariance = Dense(rows @ rows.mT)
    divergence = divergence_of(MultivariateNormal(mean, covariance), written)
    return divergence + 0.5 * covariance.log_det().sum() - pt.log(part.own).sum()


class InfiniteTermError(ValueError):
    """The approximation leaves the support of the prior, whatever its parameters."""


def _check_support(rv: Any, single: Distribution, prior: Distribution) -> None:
    """Raise InfiniteTermError where the approximation certainly leaves the support of the prior."""
    if not (isinstance(single, Continuous) and isinstance(prior, Continuous)):
        return
    if outside(single, prior, affine_map(single, prior)) is not True:
        return
    transform = "Interval(lower, upper)"
    if certainly_is(prior.loc, 0.0) and prior.ends == (0.0, math.inf):
        transform = "log"
    elif certainly_is(prior.loc, 0.0) and certainly_is(prior.scale, 1.0) and prior.ends == (0.0, 1.0):
        transform = "logodds"
    raise _infinite(rv, transform)


def _infinite(rv: Any, transform: str) -> InfiniteTermError:
    """The error for a variable without the transform to the support of its prior."""
    return InfiniteTermError(
        f"the term of {rv.name!r} is infinite whatever the parameters: the approximation has mass outside of "
        f"the support of the prior, {as_written(rv)}. Make the variable with a transform to that support, as "
        f"transform=pm.distributions.transforms.{transform}"
    )


def _prior(rv: Any, transform: Any) -> Distribution:
    """The prior over what the transform makes normal; NoClosedFormError where there is no such family."""
    drawn, kind = without_names(rv), kind_of(transform)
    op = drawn.owner.op
    if isinstance(op, FlatRV | HalfFlatRV):
        raise no_closed_form_of_one(f"{as_written(rv)}, which is improper")
    if isinstance(op, ZeroSumNormalRV) and kind is ZeroSumTransform:
        sigma, _ = op.dist_params(drawn.owner)
        return recognise(Normal(pt.zeros(()), sigma))
    prior = recognise(drawn)
    if kind not in _CONSTRAINED or kind is ZeroSumTransform:
        raise no_closed_form_of_one(f"what its transform, {kind.__name__}, makes of a normal variable")
    if prior.event_shape and not (transform is None and isinstance(prior, MultivariateNormal)):
        raise no_closed_form_of_one(f"{as_written(rv)} of a normal approximation")
    return prior


def _refusal(model: Model, refused: dict[Any, str]) -> NoClosedFormError:
    """The error for the variables whose terms have no closed form, and what to do."""
    whys = "; ".join(f"{rv.name!r} ({as_written(rv)}): {why}" for rv, why in refused.items())
    return NoClosedFormError(
        f"no closed form of the KL terms of these variables is known: {whys}. no_closed_form='draw' "
        "estimates them from random draws, var_names=[...] chooses other variables"
    )


def averaged(terms: Sequence[Array], noise: dict[Any, Array], draws: int | None) -> list[Array]:
    """The means over the rows of the noise of terms that are of one row."""
    if draws == 1:
        single = {symbol: drawn[0] for symbol, drawn in noise.items()}
        found: list[Array] = graph_replace(list(terms), single, strict=False)
        return found
    try:
        many = vectorize_graph(list(terms), noise)
    except NotImplementedError:  # by an operation that knows no batches: row after row
        many = [_over_rows(term, noise) for term in terms]
    return [term.mean(0) if term.ndim else term for term in many]


def _over_rows(term: Array, noise: dict[Any, Array]) -> Array:
    """The term at each row of the noise."""

    def at(*rows: Array) -> Array:
        found: Array = graph_replace(term, dict(zip(noise, rows, strict=True)), strict=False)
        return found.reshape((1,))  # PyTensor 2's loop in Python takes arrays, and no numbers

    return pytensor.scan(at, list(noise.values()), return_updates=False)[:, 0]
