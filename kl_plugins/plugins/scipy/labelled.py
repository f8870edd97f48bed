"""Frozen distributions of SciPy whose parameters have named dimensions."""

from __future__ import annotations

from typing import Any

from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen

from kl_plugins.labelled import Labelled, labelled
from kl_plugins.parameters.labels import has_names


@labelled.register(rv_continuous_frozen)
@labelled.register(rv_discrete_frozen)
def _(obj: Any) -> Labelled | None:
    """The parameters as the caller gave them, to the same generator."""
    generator, count, keys = obj.dist, len(obj.args), tuple(obj.kwds)
    values = (*obj.args, *obj.kwds.values())
    if not has_names(values):
        return None

    def frozen(*arrays: Any) -> Any:
        return generator(*arrays[:count], **dict(zip(keys, arrays[count:], strict=True)))

    shapes = [name.strip() for name in (generator.shapes or "").split(",") if name.strip()]
    called = (*[*shapes, "loc", "scale"][:count], *keys)
    return Labelled(values, ((),) * len(values), called, frozen)
