"""NumPyro's distributions as estimates see them: in float64, whatever JAX is set to."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import numpy as np
from numpyro.distributions import Distribution

from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.recognition import as_written, recognise

_MEASURES = {"_Simplex": "simplex", "_Sphere": "sphere"}
"""By the class of the support: where a density is not one of volume."""

_BOOLEAN = 0.0, 1.0

_BLOCK = 1024
"""So many points at a time: JAX compiles for each number of them."""


@recognise.register(Distribution)
def _(obj: object) -> NoReturn:
    raise no_closed_form_of_one(as_written(obj))


@as_written.register(Distribution)
def _(obj: object) -> str:
    return f"numpyro.distributions.{type(obj).__name__}"


@density_of.register(Distribution)
def _(obj: Any) -> Density:
    """What estimates need to know of a distribution of NumPyro."""
    batch, event = tuple(obj.batch_shape), tuple(obj.event_shape)
    support = obj.support
    discrete = bool(support.is_discrete)
    kind = type(support).__name__
    if point := type(obj).__name__ == "Delta" and not event:
        discrete = True

    compiled = jax.jit(obj.log_prob)

    def log_density(x: FloatArray) -> FloatArray:
        if not len(x):
            return np.empty((0, *batch))
        points = np.pad(x, [(0, -len(x) % _BLOCK)] + [(0, 0)] * (x.ndim - 1), mode="edge")
        points = points.astype(np.int64) if discrete and not point else points
        with _doubles():
            blocks = range(0, len(points), _BLOCK)
            found = [np.asarray(compiled(points[i : i + _BLOCK]), np.float64) for i in blocks]
        return np.concatenate(found)[: len(x)]

    def sample(count: int, rng: np.random.Generator) -> FloatArray:
        with _doubles():
            return np.asarray(obj.sample(jax.random.PRNGKey(int(rng.integers(2**31 - 1))), (count,)))

    def quantile(u: FloatArray) -> FloatArray:
        with _doubles():
            return np.asarray(obj.icdf(jax.numpy.asarray(u.reshape(-1, *(1,) * len(batch)))))

    return Density(
        name=type(obj).__qualname__,
        measure=_MEASURES.get(kind, "discrete" if discrete else "continuous"),
        log_density=log_density,
        sample=sample,
        quantile=quantile if not (event or discrete) and _has_quantiles(obj) else None,
        points=np.ravel(np.asarray(obj.v, np.float64)) if point and not batch else None,
        support=None if event else _BOOLEAN if kind == "_Boolean" else _ends(support),
        batch_shape=batch,
        event_shape=event,
    )


def _ends(support: Any) -> tuple[Any, Any]:
    low, high = getattr(support, "lower_bound", -np.inf), getattr(support, "upper_bound", np.inf)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def _has_quantiles(obj: Any) -> bool:
    try:
        obj.icdf(0.5)
    except (ImportError, NotImplementedError):  # some take them from TensorFlow
        return False
    return True


def _doubles() -> Any:
    """Within it JAX computes in float64; what a distribution holds in float32 is taken as it is."""
    return jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()
