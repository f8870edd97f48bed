"""Priors that are no distributions, as their densities do not integrate to one: refused by name."""

from __future__ import annotations

from typing import Any, NoReturn

from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pytensor.graph.op import Op

from kl_plugins.errors import NoClosedFormError
from kl_plugins.plugins.pytensor.random_variables import density, family, name_of_class


@family.register(FlatRV)
@family.register(HalfFlatRV)
def _(op: Op, *parameters: Any, batch: Any) -> NoReturn:
    raise NoClosedFormError(_what(op))


@density.register(FlatRV)
@density.register(HalfFlatRV)
def _(op: Op, variable: Any) -> NoReturn:
    raise TypeError(_what(op))


def _what(op: Op) -> str:
    return (
        f"{name_of_class(op)} is improper, no distribution, and nothing has a divergence from it: take a "
        "proper one, such as a wide Normal"
    )
