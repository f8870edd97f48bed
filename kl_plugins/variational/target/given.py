"""KL terms of distributions that are given for a model's variables, and which variables are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytensor.tensor as pt
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.model import Model
from pytensor.compile.builders import infer_shape
from pytensor.graph.basic import Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.type import TensorType

from kl_plugins.dispatch import kl_of_sides
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.independent import product_over_last
from kl_plugins.matching import recognised, told_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.plugins.pytensor.graph import without_names
from kl_plugins.plugins.pytensor.lowering import has_dims, lowered
from kl_plugins.variational.target.priors import parents


def free_variables(model: Model, wanted: Sequence[Any] | None) -> list[Any]:
    """The free variables that are wanted, by name or themselves, in the model's order; all where None.

    Raises
    ------
    ValueError
        If the model has no such variable, or none is wanted.
    """
    if wanted is None:
        return list(model.free_RVs)
    keys = [wanted] if isinstance(wanted, str | Variable) else list(wanted)
    if not keys:
        raise ValueError(f"var_names is empty; the model has {_known(model)}")
    found = {_free(model, key) for key in keys}
    return [rv for rv in model.free_RVs if rv in found]


def _free(model: Model, key: Any) -> Any:
    """The free variable of this name, on either scale, or itself; ValueError where the model has none."""
    for rv in model.free_RVs:
        if key is rv or (isinstance(key, str) and key in (rv.name, model.rvs_to_values[rv].name)):
            return rv
    called = key.name if isinstance(key, Variable) and key.name else key
    raise ValueError(f"{called!r} is not a free variable of the model; there are {_known(model)}")


def _known(model: Model) -> str:
    return ", ".join(repr(rv.name) for rv in model.free_RVs) or "none"


def terms_of_given(
    model: Model, distributions: Mapping[Any, object], wanted: Sequence[Any] | None
) -> dict[str, Array]:
    """The terms of variables whose approximating distributions are given."""
    if not distributions:
        raise ValueError(f"the dict has no distributions; the model has {_known(model)}")
    given: dict[Any, object] = {}
    for key, distribution in distributions.items():
        rv = _free(model, key)
        if rv in given:
            raise ValueError(f"two distributions are given for {rv.name!r}, by its name and by itself")
        given[rv] = distribution
    terms = {}
    for rv in free_variables(model, list(given) if wanted is None else wanted):
        if rv not in given:
            raise ValueError(
                f"no distribution is given for {rv.name!r}; there are {', '.join(map(repr, given))}"
            )
        if above := [parent.name for parent in parents(model, rv)]:
            values = ", ".join(f"{name!r}: value" for name in above)
            raise ValueError(
                f"the prior of {rv.name!r} depends on {', '.join(map(repr, above))}, and draws from "
                "distributions given by hand have no gradients. Make the term at your own values (numbers, "
                f"or symbolic draws mu + sigma * noise): kl_terms(pm.do(model, {{{values}}}), ...)"
            )
        term = _of_pair(without_names(rv), _beside(given[rv], model, rv), rv.name)
        terms[rv.name] = lowered(model.replace_rvs_by_values([term]))[0]
    return terms


def _beside(distribution: Any, model: Model, rv: Any) -> object:
    """The distribution, whose dimensions are in the order of the variable's where they have names."""
    dims = rv.type.dims if has_dims(rv) else model.named_vars_to_dims.get(rv.name)
    if not (isinstance(distribution, Variable) and has_dims(distribution)):
        return distribution
    try:
        return without_names(distribution, dims or ())
    except (ValueError, NoClosedFormError) as error:
        raise told_of(error, f"the distribution of {rv.name!r}") from error


def _of_pair(rv: Any, distribution: object, name: str) -> Array:
    """The divergence of a distribution given by hand from the prior of the variable of that name."""
    sides = f"the distribution of {name!r}", f"the prior of {name!r}"
    q = recognised(distribution, sides[0])
    if isinstance(rv.owner.op, FlatRV | HalfFlatRV):
        raise NoClosedFormError(f"{sides[1]} is improper: there is no divergence from it")
    prior = recognised(rv, sides[1])
    shape = (*q.batch_shape, *q.event_shape)
    own = rv.type.shape
    if len(shape) > len(own) or any(
        None not in pair and pair[0] not in (1, pair[1]) for pair in zip(shape[::-1], own[::-1], strict=False)
    ):
        raise ValueError(f"{sides[0]} has shape {shape}, the variable {own}")
    q = _checked(rv, q, name)
    pair: tuple[Distribution, Any] = q, rv
    while len(prior.event_shape) < len(q.event_shape):
        pair = q, (prior := product_over_last(prior.expand(_batch(rv, prior))))
    while len(q.event_shape) < len(prior.event_shape):
        pair = (q := product_over_last(q.expand(_batch(rv, q)))), rv
    try:
        return kl_of_sides(*pair, sides, (distribution, rv)).sum()
    except NoClosedFormError as error:
        raise told_of(error, f"the term of {name!r}") from error


def _checked(rv: Any, q: Distribution, name: str) -> Distribution:
    """The same, which raises when the graph runs where lengths that were not known are not the variable's."""
    if not (isinstance(q, Univariate) and q.ops.symbolic):
        return q  # event shapes are compared with those of the prior
    lengths = _lengths(rv)
    shape = "" if None in rv.type.shape else f", {rv.type.shape}"
    check = CheckAndRaise(
        ValueError,
        f"the distribution of {name!r} has another shape than the variable{shape}: what is to broadcast "
        "must be known to have length 1 when the graph is made, as pt.specify_shape(x, (1,)) says",
    )

    def checked(value: Array) -> Array:
        if is_literal(value):
            return value
        unknown = [i for i in range(-value.ndim, 0) if value.type.shape[i] is None]
        return check(value, *[pt.eq(value.shape[i], lengths[i]) for i in unknown]) if unknown else value

    return q.mapped(checked)


def _batch(rv: Any, distribution: Distribution) -> tuple[Array, ...]:
    """The batch shape that makes a distribution one of the variable's shape."""
    shape = _lengths(rv)
    return shape[: len(shape) - len(distribution.event_shape)]


def _lengths(rv: Any) -> tuple[Array, ...]:
    """The shape of a variable, made of what its prior depends on where it is not known."""
    known: tuple[Array, ...] = rv.type.shape
    if None not in known:
        return known
    inputs = rv.owner.inputs
    shapes = [_shape(x) if isinstance(x.type, TensorType) else None for x in inputs]
    pairs = zip(known, infer_shape([rv], inputs, shapes)[0], strict=True)
    return tuple(inferred if length is None else length for length, inferred in pairs)


def _shape(x: Array) -> tuple[Array, ...]:
    return tuple(
        pt.constant(n, dtype="int64") if n is not None else x.shape[i] for i, n in enumerate(x.type.shape)
    )
