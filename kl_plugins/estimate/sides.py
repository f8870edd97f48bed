"""The two sides of an estimate: their densities, the batch of the pair, and what is not known of them."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from kl_plugins.errors import EstimateWarning, HasNames, NoClosedFormError
from kl_plugins.estimate import families, mixtures  # noqa: F401  (register our own distributions)
from kl_plugins.estimate.density import Density, density_of, how_to_say
from kl_plugins.estimate.naming import named_density
from kl_plugins.estimate.result import Doubt
from kl_plugins.parameters.labels import joined
from kl_plugins.parameters.shapes import in_words
from kl_plugins.recognition import is_symbolic, load_plugins_of, recognise


def warn_of_present_values(**given: object) -> None:
    """EstimateWarning where a side has a density, and so values, but these may change."""
    changing = " and ".join(side for side, obj in given.items() if is_symbolic(obj))
    if changing:
        warnings.warn(
            f"{changing}: parameters depend on shared variables. The estimate is a number at their present "
            "values, without gradients: in a graph take pm.logp(p, w) - pm.logp(q, w) at draws w of p",
            EstimateWarning,
            stacklevel=4,
        )


def density_of_side(obj: object, side: str) -> Density:
    """What is known of a side; what has no density of its own may be one of our families."""
    load_plugins_of(type(obj))
    try:
        if not density_of.knows(type(obj)):
            try:
                return named_density(recognise(obj), side)
            except HasNames:
                raise
            except (TypeError, NoClosedFormError):
                pass
        return named_density(obj, side)
    except HasNames:
        raise
    except (TypeError, ValueError, NotImplementedError) as error:
        kind = TypeError if isinstance(error, TypeError) else type(error)
        raise kind(f"{side}: {error}") from error


def batch_of(p: Density, q: Density) -> tuple[int, ...]:
    """The batch shape of the pair."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p and q have different event shapes, {in_words(p.event_shape)} against "
            f"{in_words(q.event_shape)}: p is {p.name} with event shape {p.event_shape}, q is "
            f"{q.name} with event shape {q.event_shape}{how_to_say(p, q)}"
        )
    joined(p.labels, q.labels, ("p", "q"))
    try:
        return np.broadcast_shapes(p.batch_shape, q.batch_shape)
    except ValueError:
        raise ValueError(
            f"batch shape {p.batch_shape} of p does not broadcast against batch shape {q.batch_shape} of q"
        ) from None


def undefined(p: Density, q: Density, batch: tuple[int, ...]) -> tuple[NDArray[np.bool], str]:
    """Which pairs of a batch have a parameter that is NaN, and why there is no estimate of these."""
    where = np.zeros(batch, bool)
    whys: list[str] = []
    for name, side in (("p", p), ("q", q)):
        for mask in side.unknown.values():
            where |= mask
        if side.unknown:
            words = " and ".join(side.unknown)
            whys.append(
                Doubt.NAN.format(what=f"{words} of {name}", verb="are" if len(side.unknown) > 1 else "is")
            )
    return where, "; ".join(whys)
