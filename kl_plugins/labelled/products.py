"""Independent copies along named dimensions, taken as one event."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.independent import product_over_last
from kl_plugins.labelled.computing import Labelled, dims_of, labelled, labelled_of
from kl_plugins.ops.named import BY_NAME
from kl_plugins.parameters.declarations import constant
from kl_plugins.recognition import recognise


class ProductByName(Distribution):
    """The product of a labelled distribution over dimensions of its batch, which are an event's then."""

    base: Any = constant()
    over: tuple[Hashable, ...] = constant()

    def __post_init__(self) -> None:
        self._state(ops=BY_NAME, labels=None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._state(**state)
        self.__post_init__()

    def describe(self) -> str:
        return f"Independent over {', '.join(map(repr, self.over))}"


def product_by_name(base: object, dims: tuple[Hashable, ...]) -> ProductByName:
    """The product over these dimensions; ValueError where it has one of them not, or in an event already."""
    part = labelled_of(base)
    if part is None:
        if not recognise(base).batch_shape:
            raise TypeError(
                f"no parameter has the dimension {dims[0]!r}, as all are single numbers: give it to one of "
                "them, such as xarray.zeros_like(x) for an array x that has it"
            )
        raise TypeError(
            f"the batch dimensions of p have no names, such as {dims[0]!r}: say how many of the last ones "
            "belong to an event, independent(p, 1)"
        )
    known = {dim for value in part.values for dim in dims_of(value)}
    inside = {dim for core in part.core_dims for dim in core}
    for dim in dims:
        if dim not in known - inside:
            has = ", ".join(map(repr, sorted(known - inside, key=str))) or "none"
            raise ValueError(f"p has no batch dimension {dim!r}, its batch dimensions are: {has}")
    if len(set(dims)) < len(dims):
        raise ValueError(f"each dimension can be given once, got {dims}")
    return ProductByName(base, dims)


@labelled.register(ProductByName)
def _(obj: Any) -> Labelled:
    part, over = labelled_of(obj.base), obj.over
    assert part is not None
    own = [tuple(dim for dim in over if dim in dims_of(value)) for value in part.values]
    cores = tuple((*mine, *core) for mine, core in zip(own, part.core_dims, strict=True))
    present = [tuple(dim in mine for dim in over) for mine in own]
    ndims = [len(core) for core in part.core_dims]
    rebuild = part.rebuild

    def product(*arrays: Any) -> Distribution:
        made = recognise(rebuild(*map(_with_all, arrays, present, ndims)))
        for _ in over:
            made = product_over_last(made)
        return made

    return part._replace(
        core_dims=cores,
        rebuild=product,
        event_dims=(*over, *part.event_dims),
        repeated=(*over, *part.repeated),
    )


def _with_all(array: Any, present: tuple[bool, ...], core: int) -> Any:
    """The array with an axis of length one for each dimension of the product that it does not have."""
    if np.ndim(array) == core:  # it has no batch, and broadcasts as it is
        return array
    axes = [slice(None) if has else None for has in present]
    return array[(..., *axes, *[slice(None)] * core)]
