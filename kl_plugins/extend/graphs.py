"""What a family is in a graph, judged by its numbers and by finite differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from kl_plugins.dispatch import kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend.quadrature import compare, described
from kl_plugins.families.core.discrete import MATHEMATICS
from kl_plugins.parameters.declarations import Parameter


def judge_graph(p: Any, q: Any) -> None:
    """The divergence in a graph, and its gradient by the parameters that are not static."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.graph.rewriting.db import RewriteDatabaseQuery

    family = type(p)
    values = [{name: getattr(side, name) for name in family.parameters} for side in (p, q)]
    keys = [
        (side, name)
        for side, name in product((0, 1), family.parameters)
        if math.isfinite(values[side][name])
        and _may_vary(family.parameters[name], *[v[name] for v in values])
    ]

    def divergence(point: Sequence[Any]) -> Any:
        given = [dict(side) for side in values]
        for (side, name), value in zip(keys, point, strict=True):
            given[side][name] = value
        rest = [{name: getattr(made, name) for name in family.parts} for made in (p, q)]
        return kl(*(family(**own, **parts) for own, parts in zip(given, rest, strict=True)))

    variables = [pt.dscalar(f"{name}_{'pq'[side]}") for side, name in keys]
    point = [float(values[side][name]) for side, name in keys]
    try:
        graph, exact = divergence(variables), divergence(point)
    except NoClosedFormError:
        return
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(f"{family.__name__} fails in graphs ({error}): {MATHEMATICS}") from error
    if not keys or not math.isfinite(exact):
        return
    slopes = pytensor.grad(graph, variables, disconnected_inputs="ignore")
    as_written = Mode("py", RewriteDatabaseQuery(include=["inline_ofg_expansion"]))
    function = pytensor.function(variables, [graph, *slopes], mode=as_written, on_unused_input="ignore")
    found = function(*point)
    where = f"KL({described(p)} ‖ {described(q)})"
    compare(where, "the divergence", found[0], exact, "in a graph", "as a number")
    for i, (side, name) in enumerate(keys):
        step = 1e-5 * max(1.0, abs(point[i]))
        ends = [divergence([*point[:i], point[i] + h, *point[i + 1 :]]) for h in (-step, step)]
        slope = (ends[1] - ends[0]) / (2.0 * step)
        if not math.isclose(found[1 + i], slope, rel_tol=1e-4, abs_tol=1e-6):
            raise AssertionError(
                f"{where}: the gradient by {name} of {'pq'[side]} is {found[1 + i]:.9g} in a graph, but "
                f"{slope:.9g} by differences"
            )


def _may_vary(stated: Parameter, first: float, second: float) -> bool:
    """Whether the gradient by a parameter is asked for: not by whole numbers, nor by what is one constant."""
    whole = stated.domain is not None and stated.domain.whole
    return not whole and not (stated.static and first == second)
