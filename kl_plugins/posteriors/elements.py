"""The draws of a trace as points, element by element, on the constrained or the unconstrained scale."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.families.named import Variable, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.arviz import SAMPLE, posterior_of, selected, variable_of

if TYPE_CHECKING:
    import xarray as xr

TRACE = "the trace"
NOTHING = "there is nothing to summarise: {}; the posterior has {}"


def constrained_draws(
    trace: Any, var_names: Any, filter_vars: Any
) -> tuple[FloatArray, tuple[Variable, ...], tuple[str, ...]]:
    """The draws that are chosen, shape (chains, draws, d), and the variables whose elements they are of.

    The last are the names by which `var_names` chooses the variables.
    """
    posterior = posterior_of(trace, TRACE)
    var_names = _checked(var_names, filter_vars, posterior, {})
    found = set(SAMPLE) <= set(posterior.dims)  # without them ArviZ does not choose
    chosen = selected(posterior, var_names, filter_vars) if found else posterior
    _check_kinds(chosen)
    variables = tuple(variable_of(array) for array in chosen.data_vars.values())
    if not sum(variable.size for variable in variables):
        raise ValueError(NOTHING.format("no elements are chosen", _names(posterior)))
    loaded = chosen.compute()  # where Dask holds them
    arrays = [np.asarray(one.transpose(*SAMPLE, ...), dtype=float) for one in loaded.data_vars.values()]
    flat = [array.reshape(*array.shape[:2], prod(array.shape[2:])) for array in arrays]
    return np.concatenate(flat, axis=2), variables, tuple(variable.name for variable in variables)


def unconstrained_draws(
    trace: Any, var_names: Any, filter_vars: Any, model: Any
) -> tuple[FloatArray, tuple[Variable, ...], tuple[str, ...]]:
    """The same of the model's value variables: draws of its free variables through their transforms."""
    from kl_plugins.variational.target.density import value_variables
    from kl_plugins.variational.target.draws import points_of_draws

    if not hasattr(model, "free_RVs"):
        raise TypeError(f"model must be a pymc.Model, got {type(model).__name__}")
    posterior = posterior_of(trace, TRACE)
    free = {rv.name: model.rvs_to_values[rv] for rv in model.free_RVs}
    owners = {value.name: name for name, value in free.items()}
    var_names = _checked(var_names, filter_vars, posterior, owners)
    names = list(selected(posterior, var_names, filter_vars).data_vars)
    given = list(var_names or ())
    if filter_vars is None and (strange := [name for name in given if name in names and name not in free]):
        raise ValueError(
            f"{some_of(strange)}: not free in the model, whose unconstrained scale is that of "
            f"{some_of(list(free))}. Deterministic variables are summarised without model="
        )
    wanted = [name for name in free if var_names is None or name in names]
    if not wanted:
        raise ValueError(NOTHING.format("no free variable of the model is chosen", _names(posterior)))
    if discrete := [name for name in wanted if free[name].dtype.startswith(("int", "uint", "bool"))]:
        raise ValueError(_discrete(discrete))
    chosen = {free[name].name for name in wanted}
    variables = tuple(variable for variable in value_variables(model) if variable.name in chosen)
    chains = points_of_draws(posterior, model, variables, TRACE)
    return chains, variables, tuple(owners[variable.name] for variable in variables)


def _checked(
    var_names: Any, filter_vars: Any, posterior: xr.Dataset, owners: dict[str, str]
) -> list[str] | None:
    """The names as a list, each of a variable that there is where they are whole ones.

    `owners` says of the value variables of a model whose they are.
    """
    if var_names is None:
        return None
    if hasattr(var_names, "free_RVs"):
        raise TypeError("var_names must be names, got a model: gaussian(trace, model=model)")
    names = [var_names] if isinstance(var_names, str) or not np.iterable(var_names) else list(var_names)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"var_names must be names, got {type(strange[0]).__qualname__}")
    if filter_vars is None:
        for name in names:
            if name not in posterior.data_vars and name.removeprefix("~") not in posterior.data_vars:
                raise ValueError(_unknown(name.removeprefix("~"), posterior, owners))
    return [str(name) for name in names]


def _unknown(name: str, posterior: xr.Dataset, owners: dict[str, str]) -> str:
    base = name.partition("[")[0]
    if name in owners:
        remedy = f": choose {owners[name]!r}"
    elif base in posterior.data_vars:
        remedy = f": choose {base!r}, and elements of it with .sel on the posterior"
    else:
        remedy = f", which has {_names(posterior)}"
    return f"var_names: there is no variable {name!r} in the posterior{remedy}"


def _check_kinds(chosen: xr.Dataset) -> None:
    """Raise where a variable has no draws, or others than of continuous numbers."""
    arrays = {str(name): array for name, array in chosen.data_vars.items()}
    if missing := [name for name, array in arrays.items() if not set(SAMPLE) <= set(array.dims)]:
        raise ValueError(
            f"{some_of(missing)}: no dimensions chain and draw. Draws of one chain get the first by "
            ".expand_dims('chain'); stacked ones get both back by .unstack()"
        )
    if discrete := [name for name, array in arrays.items() if array.dtype.kind in "iub"]:
        raise ValueError(_discrete(discrete))
    if others := [name for name, array in arrays.items() if array.dtype.kind != "f"]:
        kinds = some_of([f"{name} ({arrays[name].dtype})" for name in others])
        raise TypeError(
            f"{kinds}: no real numbers. Convert them, as posterior[name].astype(float) does, or "
            f"leave them out{_left_out(others)}"
        )


def _discrete(names: list[str]) -> str:
    return (
        f"{some_of(names)}: discrete, and a Gaussian has no such variables. Leave them out"
        f"{_left_out(names)}, or where counts are large enough to pass for continuous, give them "
        f"as such: posterior.assign({{{names[0]!r}: posterior[{names[0]!r}].astype(float)}})"
    )


def _left_out(names: list[str]) -> str:
    """The choice that leaves variables out, in code."""
    return f", var_names={['~' + name for name in names]}"


def _names(posterior: xr.Dataset) -> str:
    return some_of([str(name) for name in posterior.data_vars]) or "no variables"
