"""mixture: one distribution of several, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kl_plugins.errors import HasNames
from kl_plugins.families.core.components import as_group
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.stacking import as_batch
from kl_plugins.families.mixture import Mixture
from kl_plugins.matching import recognised


def mixture(components: object, weights: Any = None) -> Mixture:
    """The mixture of distributions, which is each of them with the probability of its weight.

    Parameters
    ----------
    components : sequence of distributions, or one batch
        As in `kl`, all continuous or all discrete, and of one event shape. Of a batch the last batch
        dimension is that of the components.
    weights : array_like or TensorVariable, shape (..., k), optional
        Not negative; they sum to 1. All the same by default.

    Returns
    -------
    Distribution
        For `kl_bounds` and `estimate_kl`, and for `kl` where components do not overlap. Its batch shape is
        that of the weights without the last dimension, broadcast against those of the components.

    Raises
    ------
    TypeError
        If a component is not a distribution that is understood.
    ValueError
        If weights are negative, do not sum to 1, or are not as many as components; if there is no component,
        one is a mixture itself or has parameters with named dimensions, or they have different event shapes.

    Examples
    --------
    >>> from kl_plugins import kl_bounds, mixture
    >>> from scipy import stats
    >>> p = mixture(stats.norm([-2.0, 0.0, 2.0], 0.5), [0.2, 0.5, 0.3])
    >>> q = mixture([stats.norm(-2, 0.5), stats.norm(1, 1)], [0.2, 0.8])
    >>> print(*(f"{end:.3f}" for end in kl_bounds(p, q)))
    0.048 0.255
    """
    if isinstance(components, Sequence) and not isinstance(components, str):
        if not len(components):
            raise ValueError("components must be at least one distribution, got none")
        made = [_component(one, f"component {i}") for i, one in enumerate(components)]
        number: int | None = len(made)
        batch = None
        if not any(one.ops.symbolic or one.batch_shape for one in made):
            batch = as_batch(made)
    else:
        made, batch = [], _component(components, "components")
        if not batch.batch_shape:
            raise ValueError(
                "components must be a sequence of distributions or a batch of them, got a single "
                f"{batch.describe()}"
            )
        number = batch.batch_shape[-1]
    if weights is None:
        if number is None:
            raise ValueError("weights must be given where the number of components is not known")
        weights = np.full(number, 1.0 / number)
    found = Mixture(weights, tuple(map(as_group, made)) if batch is None else (batch,))
    shape = found.batch_shape
    return found.expand(shape) if shape and None not in shape else found


def _component(obj: object, called: str) -> Distribution:
    try:
        found = recognised(obj, called)
    except HasNames:
        raise ValueError(
            f"{called} has parameters with named dimensions, and mixtures go by position: pass their .values"
        ) from None
    if isinstance(found, Mixture):
        raise ValueError(
            f"{called} is a mixture itself: list its components, with its weights times the weight of it"
        )
    return found
