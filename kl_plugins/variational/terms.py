"""KL terms of a model's variables: what an ELBO subtracts from the expected log likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytensor.tensor as pt
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.distributions.multivariate import ZeroSumNormalRV
from pymc.distributions.transforms import ZeroSumTransform
from pymc.logprob.transforms import LogOddsTransform, LogTransform
from pymc.model import Model
from pymc.variational.opvi import Approximation
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.full import Cholesky, Dense
from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.independent import product_over_last
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.logit_normal import LogitNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.matching import recognised, told_of
from kl_plugins.ops.protocol import Array
from kl_plugins.recognition import as_written, recognise
from kl_plugins.variational.target.parameters import told
from kl_plugins.variational.target.parts import Part, Parts
from kl_plugins.variational.target.settings import check_count

_CONSTRAINED: dict[type, Callable[[Array, Array], Distribution]] = {
    type(None): Normal,
    ZeroSumTransform: Normal,  # its coordinates are those of an orthonormal basis
    LogTransform: lambda mean, scale: LogNormal(Normal(mean, scale)),
    LogOddsTransform: LogitNormal,
}
"""By the transform of a variable, the family of a coordinate that is normal after it."""


def kl_terms(
    model: Model,
    approximation: object,
    *,
    var_names: Sequence[str] | None = None,
    no_closed_form: Literal["raise", "draw"] = "raise",
    draws: int = 1,
) -> dict[str, Array]:
    """KL divergences of an approximation from the priors of a model, variable by variable, in nats.

    The evidence lower bound (ELBO) is the expected log likelihood less the sum of these terms.

    Parameters
    ----------
    model : pymc.Model
        Its free variables are those with a term. Observed variables and potentials belong to the expected
        log likelihood, which is that of ``model.datalogp``.
    approximation : pymc.MeanField, pymc.FullRank, an approximation of such groups, or dict
        Of this model, as ``pm.MeanField(model=model)``, ``pm.ADVI(model=model).approx`` or what ``pm.fit``
        returns. Or distributions by the names of variables (or by the variables), for example
        ``{"w": pm.Normal.dist(mu, sd)}``; then these variables have terms, and no others.
    var_names : sequence of str, optional
        The variables whose terms are wanted; by default all.
    no_closed_form : {"raise", "draw"}
        What to do with variables whose term has no closed form: refuse, or estimate the term without bias
        by log q − log p at random draws of the approximation. An improper prior then counts as one of
        density 1, as in PyMC.
    draws : int
        How many random draws of the approximation a term is averaged over, where it needs any.

    Returns
    -------
    dict of str to TensorVariable
        Scalars by the names of the variables, symbolic in the parameters of the approximation and with
        gradients. +∞ where the approximation has mass outside of the support of the prior.

    Raises
    ------
    NoClosedFormError
        If a term has no closed form; the message names the variables.
    ValueError
        If the approximation is of another model, or the variables that a prior depends on are in the way;
        if a parameter of a prior is invalid.
    TypeError
        If `model` or `approximation` is something else.

    See Also
    --------
    kl_plugins.kl : The divergence of one pair.

    Notes
    -----
    PyMC's approximations are normal where variables are unconstrained. A variable under a log transform is
    thus log-normal, and its term is that of the log-normal distribution from the prior: a divergence is the
    same on both sides of a bijection. There are closed forms for the usual priors without a transform, under
    log transforms (``pm.HalfNormal``, ``pm.Exponential``, ``pm.Gamma``, ``pm.InverseGamma``,
    ``pm.LogNormal``, ``pm.Weibull``), for ``pm.LogitNormal`` and ``pm.ZeroSumNormal``, and none under most
    other transforms (``pm.Beta``, ``pm.Uniform``, ``pm.Dirichlet``).

    In a hierarchical model the prior p(w | τ) depends on another variable. Its term is KL(q(w) ‖ p(w | τ))
    at random draws of τ from the approximation: an unbiased estimate of the term, with gradients by all
    parameters. Compile it with ``pm.compile``, which draws anew at each call (``pytensor.function`` repeats
    the same draw). Terms without such a parent and with a closed form are exact.

    A full-rank approximation couples its variables. By the chain rule its divergence from the prior is a sum
    of terms of each variable given those before it. The term of a variable is that; it is exact where the
    prior of the variable depends on no other, and at random draws of the variables before it otherwise.

    Examples
    --------
    A closed-form ELBO, trained by gradient ascent:

    >>> import numpy as np
    >>> import pymc as pm
    >>> import pytensor
    >>> from kl_plugins.variational import kl_terms
    >>> with pm.Model() as model:
    ...     slope = pm.Normal("slope", 0.0, 2.0, shape=2)
    ...     noise = pm.HalfNormal("noise", 1.0)
    ...     _ = pm.Normal("y", np.eye(2) @ slope, noise, observed=[1.0, -1.0])
    ...     approximation = pm.MeanField()
    >>> terms = kl_terms(model, approximation)
    >>> elbo = approximation.sample_node(model.datalogp) - sum(terms.values())
    >>> gradients = pytensor.grad(elbo, approximation.params)
    >>> updates = {x: x + 0.02 * dx for x, dx in zip(approximation.params, gradients)}
    >>> outputs = [elbo, *terms.values()]
    >>> step = pm.compile([], outputs, updates=updates, random_seed=1, mode="FAST_COMPILE")
    >>> path = np.array([step() for _ in range(300)])
    >>> dict(zip(terms, path[0, 1:].round(4)))
    {'slope': np.float64(1.2394), 'noise': np.float64(0.4804)}
    >>> bool(path[-100:, 0].mean() > path[:100, 0].mean())
    True

    Distributions of your own, symbolic or not:

    >>> by_hand = kl_terms(model, {"slope": pm.Normal.dist([0.0, 1.0], 2.0)})
    >>> float(by_hand["slope"].eval(mode="FAST_COMPILE"))
    0.125
    """
    if not hasattr(model, "free_RVs"):
        hint = ": kl_terms(model, approximation)" if hasattr(approximation, "free_RVs") else ""
        raise TypeError(f"model must be a pymc.Model, got {told(model)}{hint}")
    if no_closed_form not in ("raise", "draw"):
        raise ValueError(f"no_closed_form must be 'raise' or 'draw', got {no_closed_form!r}")
    draws = check_count(draws, "draws")
    if isinstance(approximation, Mapping):
        return _by_hand(model, approximation, var_names)
    if not isinstance(approximation, Approximation):
        raise TypeError(
            "approximation must be one of PyMC's (pm.MeanField, pm.FullRank, what pm.fit returns) or a dict "
            f"of distributions by the names of variables, got {told(approximation)}"
        )
    if approximation.model is not model:
        raise ValueError("the approximation is of another model than the one given")
    parts = Parts(approximation)
    chosen = _chosen(model, var_names)
    terms = _of_noise(model, parts, chosen, estimated=no_closed_form == "draw")
    averaged = _averaged(terms, parts.noise_drawn(draws), draws)
    return _named({rv.name: term for rv, term in zip(chosen, averaged, strict=True)})


def _named(terms: dict[str, Array]) -> dict[str, Array]:
    for name, term in terms.items():
        term.name = f"kl_{name}"
    return terms


def _chosen(model: Model, var_names: Sequence[str] | None) -> list[Any]:
    """The free variables of these names, in the model's order."""
    if var_names is None:
        return list(model.free_RVs)
    wanted = [var_names] if isinstance(var_names, str) else list(var_names)
    for name in wanted:
        _free(model, name)
    return [rv for rv in model.free_RVs if rv.name in wanted]


def _free(model: Model, key: Any) -> Any:
    """The free variable of this name, or the variable itself; ValueError where the model has none."""
    for rv in model.free_RVs:
        if key is rv or (isinstance(key, str) and key == rv.name):
            return rv
    known = ", ".join(repr(rv.name) for rv in model.free_RVs) or "none"
    raise ValueError(f"{key!r} is not a free variable of the model; there are {known}")


def _parents(model: Model, rv: Any) -> list[Any]:
    """The free variables that the prior of a variable depends on, without those that these depend on."""
    above = set(ancestors(rv.owner.inputs, blockers=model.free_RVs))
    return [other for other in model.free_RVs if other in above]


def _of_noise(model: Model, parts: Parts, chosen: Sequence[Any], estimated: bool) -> list[Array]:
    """The terms as graphs over the noise of the approximation's groups."""
    terms, refused = [], {}
    for rv in chosen:
        name = model.rvs_to_values[rv].name
        if name not in parts:
            raise ValueError(f"{rv.name!r} was added to the model after the approximation was made")
        part = parts.part(name, given=_depends_on_coupled(model, parts, rv))
        try:
            term = _closed_form(rv, model.rvs_to_transforms[rv], part, parts.shape(name))
        except (TypeError, NoClosedFormError) as error:
            refused[rv] = getattr(error, "why", None) or str(error)
            term = pt.zeros(())
            if estimated:
                log_prior = model.logp(vars=[rv], sum=False)[0].sum()
                term = parts.part(name, given=True).log_density() - log_prior
        except ValueError as error:
            raise told_of(error, f"the prior of {rv.name!r}") from error
        terms.append(term)
    if refused and not estimated:
        raise _refusal(model, refused)
    over_values = model.replace_rvs_by_values(terms)
    values = {value: parts.draw(value.name) for value in map(model.rvs_to_values.get, model.free_RVs)}
    found: list[Array] = graph_replace(over_values, values, strict=False)
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
    parents = [parent for parent in _parents(model, rv) if model.rvs_to_values[parent].name in coupled]
    for parent in parents:
        if not parts.is_before(model.rvs_to_values[parent].name, name):
            raise ValueError(
                f"the prior of {rv.name!r} depends on {parent.name!r}, which comes after it in a full-rank "
                f"group: name it before {rv.name!r} in pm.Group, or put each in a group of its own"
            )
    return bool(parents)


def _closed_form(rv: Any, transform: Any, part: Part, shape: tuple[int, ...]) -> Array:
    """The divergence of a part of the approximation from the prior of the variable.

    It is that of the part from a product of its members, which are independent under the prior, plus that of
    the product from the prior: normal coordinates of standard deviations s are ∑ log s − ∑ log own away from
    independent ones. The same is left of the variables before this one.
    """
    prior = _prior(rv, transform)
    if not isinstance(prior, MultivariateNormal):
        family = _CONSTRAINED[type(transform)]
        divergence = kl(family(part.mean.reshape(shape), part.scale.reshape(shape)), prior).sum()
        return divergence if part.root is None else divergence + pt.log(part.scale / part.own).sum()
    batch = shape[: len(shape) - len(prior.event_shape)]
    prior = MultivariateNormal(prior.mean, prior.covariance)  # of a matrix, too, over its entries
    mean = part.mean.reshape((*batch, -1))
    if part.root is None:
        return kl(MultivariateNormal(mean, DiagonalScales(part.scale.reshape(mean.shape))), prior).sum()
    if part.alone and not batch:
        return kl(MultivariateNormal(mean, Cholesky(part.root)), prior)
    rows = part.root.reshape((*mean.shape, part.root.shape[-1]))
    covariance = Dense(rows @ rows.mT)
    divergence = kl(MultivariateNormal(mean, covariance), prior).sum()
    return divergence + 0.5 * covariance.log_det().sum() - pt.log(part.own).sum()


def _prior(rv: Any, transform: Any) -> Distribution:
    """The prior over what the transform makes normal; NoClosedFormError where there is no such family."""
    op = rv.owner.op
    if isinstance(op, FlatRV | HalfFlatRV):
        raise no_closed_form_of_one(f"{as_written(rv)}, which is improper")
    if isinstance(op, ZeroSumNormalRV) and isinstance(transform, ZeroSumTransform):
        sigma, _ = op.dist_params(rv.owner)
        return recognise(Normal(pt.zeros(()), sigma))
    prior = recognise(rv)
    name = type(transform).__name__
    if type(transform) not in _CONSTRAINED or isinstance(transform, ZeroSumTransform):
        raise no_closed_form_of_one(f"the transform {name}")
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


def _averaged(terms: Sequence[Array], noise: dict[Any, Array], draws: int | None) -> list[Array]:
    """The means over the rows of the noise of terms that are of one row."""
    if draws == 1:
        single = {symbol: drawn[0] for symbol, drawn in noise.items()}
        found: list[Array] = graph_replace(list(terms), single, strict=False)
        return found
    return [term.mean(0) if term.ndim else term for term in vectorize_graph(list(terms), noise)]


def _by_hand(
    model: Model, distributions: Mapping[Any, object], var_names: Sequence[str] | None
) -> dict[str, Array]:
    """The terms of variables whose approximating distributions are given."""
    given = {_free(model, key): distribution for key, distribution in distributions.items()}
    terms = {}
    for rv in _chosen(model, [rv.name for rv in given] if var_names is None else var_names):
        if rv not in given:
            raise ValueError(
                f"no distribution is given for {rv.name!r}; there are {', '.join(map(repr, given))}"
            )
        if parents := [parent.name for parent in _parents(model, rv)]:
            listed = ", ".join(map(repr, parents))
            raise ValueError(
                f"the prior of {rv.name!r} depends on {listed}, and no term can be made of distributions "
                f"alone: give values (numbers or reparametrised draws) for it, "
                f"kl_terms(pm.do(model, {{{parents[0]!r}: value}}), ...)"
            )
        terms[rv.name] = model.replace_rvs_by_values([_of_pair(rv, given[rv])])[0]
    return _named(terms)


def _of_pair(rv: Any, distribution: object) -> Array:
    """The divergence of a distribution given by hand from the prior of a variable."""
    q = recognised(distribution, f"the distribution of {rv.name!r}")
    if isinstance(rv.owner.op, FlatRV | HalfFlatRV):
        raise NoClosedFormError(f"the prior of {rv.name!r} is improper: there is no divergence from it")
    prior = recognised(rv, f"the prior of {rv.name!r}")
    shape = (*q.batch_shape, *q.event_shape)
    own = rv.type.shape
    if len(shape) > len(own) or any(
        None not in pair and pair[0] not in (1, pair[1]) for pair in zip(shape[::-1], own[::-1], strict=False)
    ):
        raise ValueError(f"the distribution of {rv.name!r} has shape {shape}, the variable {own}")
    pair: tuple[object, object] = distribution, rv
    while len(prior.event_shape) < len(q.event_shape):
        pair = distribution, (prior := product_over_last(prior.expand(_runtime(rv, prior))))
    while len(q.event_shape) < len(prior.event_shape):
        pair = (q := product_over_last(q.expand(_runtime(rv, q)))), rv
    try:
        return kl(*pair).sum()
    except (ValueError, NoClosedFormError) as error:
        raise told_of(error, f"the term of {rv.name!r}") from error


def _runtime(rv: Any, distribution: Distribution) -> tuple[Array, ...]:
    """The batch shape that makes a distribution one of the variable's shape."""
    shape = tuple(rv.shape[i] if n is None else n for i, n in enumerate(rv.type.shape))
    return shape[: len(shape) - len(distribution.event_shape)]
