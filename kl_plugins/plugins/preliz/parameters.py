"""The parameters of PreliZ's distributions, and what modifiers modify; how a distribution is written."""

from __future__ import annotations

from typing import Any

import numpy as np
from preliz.distributions.distributions import Distribution as Univariate
from preliz.distributions.distributions import DistributionTransformer as Modified
from preliz.distributions.distributions_multivariate import Multivariate

from kl_plugins.recognition import as_written

_MODIFIERS = {
    "Censored": ("lower", "upper"),
    "Hurdle": ("psi",),
    "Mixture": ("weights",),
    "Truncated": ("lower", "upper"),
}
"""By class: the parameters that a modifier has of its own."""


def own(obj: Any) -> dict[str, Any]:
    """The parameters, by the names that they were given by, but for those of what is modified."""
    names = _MODIFIERS.get(type(obj).__name__, obj.param_names)
    return {name: getattr(obj, name, None) for name in names}


def parts(obj: Any) -> list[Any]:
    """What is modified or mixed."""
    if not isinstance(obj, Modified):
        return []
    return list(obj.dist) if isinstance(obj.dist, list | tuple) else [obj.dist]


def check_set(obj: Any) -> None:
    """ValueError, which names them, where a distribution has parameters without a value."""
    for part in parts(obj):
        check_set(part)
    unset = [name for name, value in own(obj).items() if value is None]
    if not (unset or obj.is_frozen):  # an end that PreliZ has a value for, but waits for
        unset = [name for name, value in zip(obj.param_names, obj.params, strict=True) if value is None]
    if not unset:
        return
    given = [*(["..."] if parts(obj) else []), *(f"{name}=..." for name in own(obj))]
    fitted = not parts(obj) and isinstance(obj, Univariate)
    fit = ", or have it found, for example by pz.maxent" if fitted else ""
    raise ValueError(
        f"{as_written(obj)} has no value for {' and '.join(unset)}: give it, "
        f"pz.{type(obj).__name__}({', '.join(given)}){fit}"
    )


@as_written.register(Univariate)
@as_written.register(Multivariate)
def _(obj: Any) -> str:
    """With the parameters that have a value."""
    inner = ", ".join(map(as_written, parts(obj)))
    given = [f"{name}={_brief(value)}" for name, value in own(obj).items() if np.all(value != None)]  # noqa: E711
    whole = [f"[{inner}]" if "weights" in own(obj) else inner] if inner else []
    return f"pz.{type(obj).__name__}({', '.join([*whole, *given])})"


def _brief(value: Any) -> str:
    if np.ndim(value):
        return f"array of shape {np.shape(value)}"
    return f"{value:.4g}" if isinstance(value, int | float | np.number) else str(value)[:20]
