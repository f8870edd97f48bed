"""Distributions of xarray-einstats: SciPy's, and a multivariate normal, with parameters of xarray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from xarray_einstats.stats import XrRV, multivariate_normal

from kl_plugins.covariance.full import Dense
from kl_plugins.errors import HasNames
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import shape_names
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.labelled import Labelled, labelled
from kl_plugins.parameters.labels import has_names
from kl_plugins.recognition import as_written, recognise


def _wrapped(obj: Any) -> Callable[..., Any]:
    """What makes the distribution of SciPy that is wrapped, of its parameters."""
    make, count, keys = obj.dist, len(obj.args), tuple(obj.kwargs)
    return lambda *values: make(*values[:count], **dict(zip(keys, values[count:], strict=True)))


@labelled.register(XrRV)
def _(obj: Any) -> Labelled | None:
    values = (*obj.args, *obj.kwargs.values())
    if not has_names(values):
        return None
    called = (*[*shape_names(obj.dist), "loc", "scale"][: len(obj.args)], *obj.kwargs)
    return Labelled(values, ((),) * len(values), called, _wrapped(obj))


@recognise.register(XrRV)
def _(obj: Any) -> Distribution:
    values = (*obj.args, *obj.kwargs.values())
    if has_names(values):
        raise HasNames
    return recognise(_wrapped(obj)(*values))


@as_written.register(XrRV)
def _(obj: Any) -> str:
    return f"{type(obj).__name__}({getattr(obj.dist, 'name', None) or obj.dist.__name__})"


@labelled.register(multivariate_normal)
def _(obj: Any) -> Labelled:
    """Those of its own mean and covariance, as its methods see them; `dims` are rows and columns."""
    mean, cov, dims = obj.mean, obj.cov, obj.dims
    for name, value in (("mean", mean), ("cov", cov), ("dims", dims)):
        if value is None:
            raise ValueError(f"{name} is missing: xarray_einstats.stats.multivariate_normal(mean, cov, dims)")
    if not has_names((mean, cov)):
        raise TypeError("mean and cov of xarray_einstats.stats.multivariate_normal must be DataArrays")
    if isinstance(dims, str) or len(dims) != 2:
        raise ValueError(f"dims must be two names, of the rows and the columns of cov, got {dims!r}")
    row, column = dims
    return Labelled(
        (mean, cov),
        ((row,), (row, column)),
        ("mean", "cov"),
        lambda mean, cov: MultivariateNormal(mean, Dense(cov)),
        event_dims=(row,),
        columns=((row, column),),
    )


@recognise.register(multivariate_normal)
def _(obj: object) -> NoReturn:
    raise HasNames
