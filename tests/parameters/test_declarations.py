"""Parameters are declared once, and a wrong declaration is an error when the class is made."""

from __future__ import annotations

import copy
import pickle
from dataclasses import field
from typing import Any, ClassVar

import numpy as np
import pytest

from kl_plugins import extend
from kl_plugins.extend import Covariance
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.ops import floats
from kl_plugins.parameters.declarations import (
    COUNT,
    POSITIVE,
    PROBABILITY,
    REAL,
    Domain,
    check_names,
    constant,
    parameter,
)


class Ramp(Continuous):
    """A family of the simplest kind."""

    slope: Any = parameter(POSITIVE, typical=(0.5, 2.0), meaning="its steepness")
    loc: Any = parameter(REAL, default=0.0, static=True)
    label: str = constant(default="ramp")
    ends: ClassVar[tuple[float, float]] = (0.0, 1.0)


class Tally(Discrete):
    """A discrete one."""

    n: Any = parameter(COUNT)
    p: Any = parameter(PROBABILITY, default=0.5)


WRONG = {
    "no domain": (TypeError, "Odd.x: the domain must be a Domain", parameter((0.0, 1.0))),
    "typical": (
        ValueError,
        "Odd.x: typical value -1.0 is outside of its domain: x must be positive",
        parameter(POSITIVE, typical=(-1.0,)),
    ),
    "typical NaN": (ValueError, "Odd.x: typical value nan", parameter(POSITIVE, typical=(float("nan"),))),
    "typical end": (ValueError, "x must be less than 1", parameter(Domain(0.0, 1.0), typical=(1.0,))),
    "typical broken": (ValueError, "x must be a whole number", parameter(COUNT, typical=(1.5,))),
    "typical text": (TypeError, "Odd.x: typical value 'a' is no number", parameter(REAL, typical=("a",))),
    "typical number": (TypeError, "Odd.x: typical must be a tuple", parameter(REAL, typical=1.0)),
    "typical vector": (ValueError, "Odd.x: typical", parameter(POSITIVE, typical=([1.0, 0.0],), core_ndim=1)),
    "default": (ValueError, "Odd.x: default -2.0 is outside", parameter(POSITIVE, default=-2.0)),
    "default text": (TypeError, "Odd.x: the default must be a number, got 'a'", parameter(REAL, default="a")),
    "mutable": (TypeError, "Odd.x: the default must be immutable, got list", constant(default=[])),
    "mutable array": (TypeError, "Odd.x: the default must be immutable", parameter(default=np.ones(2))),
    "other field": (TypeError, r"Odd.x must be made by parameter\(\), part\(\) or", field(default=1.0)),
    "bare": (TypeError, r"Odd.x must be declared by parameter\(\), part\(\)", 1.0),
}


@pytest.mark.parametrize(("error", "message", "value"), WRONG.values(), ids=WRONG)
def test_wrong_declarations_are_errors_when_the_class_is_made(error, message, value):
    with pytest.raises(error, match=message):
        type("Odd", (Continuous,), {"__annotations__": {"x": "Any"}, "x": value, "__module__": __name__})


def test_names_and_order():
    with pytest.raises(TypeError, match=r"Odd\.x needs an annotation"):
        type("Odd", (Continuous,), {"x": parameter(REAL)})
    with pytest.raises(TypeError, match="Steep: non-default argument 'power' follows"):
        type("Steep", (Ramp,), {"__annotations__": {"power": "Any"}, "power": parameter(REAL)})


@pytest.mark.parametrize("name", ["values", "parameters", "unchecked"])
def test_names_that_are_taken(name):
    with pytest.raises(TypeError, match=f"Odd.{name}: the name is taken"):
        type("Odd", (Continuous,), {"__annotations__": {name: "Any"}, name: parameter(REAL)})


def test_what_a_class_declares():
    assert list(Ramp.parameters) == ["slope", "loc"]
    assert Ramp.parameters["slope"].domain == POSITIVE
    assert Ramp.parameters["slope"].typical == (0.5, 2.0)
    assert Ramp.parameters["loc"].static
    assert not Ramp.parameters["slope"].static
    for domain in (
        REAL,
        POSITIVE,
        PROBABILITY,
        COUNT,
        Domain(1.0, closed=True, whole=True),
        Domain(-2.0, 3.0),
        Domain(high=-4.0),
        Domain(whole=True),
        Domain(0.0, 7.0, whole=True),
        Domain(high=-4.0, whole=True),
    ):
        stated = type("Even", (Continuous,), {"__annotations__": {"x": "Any"}, "x": parameter(domain)})
        declared = stated.parameters["x"]
        assert len(set(declared.typical)) == 2
        for number in declared.typical:
            assert all(holds for holds, _ in declared.conditions(number, floats)), domain


def test_a_subclass_states_a_parameter_anew():
    class Gentle(Ramp):
        slope: Any = parameter(Domain(0.0, 1.0))

    assert list(Gentle.parameters) == ["slope", "loc"]
    assert Gentle(0.5).slope == 0.5
    with pytest.raises(ValueError, match="slope must be less than 1"):
        Gentle(2.0)
    assert Ramp(2.0).slope == 2.0


def test_members():
    made = Ramp(2)
    assert (type(made.slope), made.loc, made.label) == (float, 0.0, "ramp")
    assert copy.deepcopy(made).slope == pickle.loads(pickle.dumps(made)).slope == 2.0
    with pytest.raises(AttributeError, match="cannot assign to field"):
        made.slope = 1.0
    with pytest.raises(ValueError, match=r"slope \(its steepness\) must be positive"):
        Ramp(np.array([1.0, -1.0]))
    for n in (2.5, np.array([1.0, 2.5])):
        with pytest.raises(ValueError, match="n must be a whole number"):
            Tally(n)
    assert np.isnan(Tally(float("nan")).n)


class Span(Continuous):
    """A family whose parameters are bound to each other."""

    low: Any = parameter(REAL, typical=(0.0, 1.0))
    high: Any = parameter(REAL, typical=(2.0, 3.0))

    def further_conditions(self):
        yield self.low < self.high, "low must be below high"


@pytest.mark.parametrize("low", [3.0, 3, [3.0], np.array([0.0, 3.0])])
def test_a_class_adds_conditions_to_its_domains(low):
    assert Span(0.0, 1.0).ops.scalar
    with pytest.raises(ValueError, match="low must be below high"):
        Span(low, 1.0)
    with pytest.raises(ValueError, match="high must be finite"):
        Span(0.0, float("inf"))


@pytest.mark.parametrize("base", [Continuous, Discrete, Covariance])
def test_what_calls_the_hook_is_not_stated_anew(base):
    body = {"own_conditions": lambda self: (), "__module__": __name__}
    with pytest.raises(TypeError, match=r"Odd\.own_conditions: state further_conditions"):
        type("Odd", (base,), body)


NEAR = {
    "standart_mean": (Continuous, "standard_mean"),
    "log_denisty": (Continuous, "log_density"),
    "end": (Continuous, "ends"),
    "logpmf": (Discrete, "log_pmf"),
    "own_condition": (Discrete, "own_conditions"),
    "further_condition": (Continuous, "further_conditions"),
    "marginals": (Covariance, "marginal"),
    "factr": (Covariance, "factor"),
}


@pytest.mark.parametrize("name", NEAR)
def test_a_name_that_is_nearly_a_hook_is_an_error(name):
    base, hook = NEAR[name]
    with pytest.raises(TypeError, match=rf"Odd\.{name}: did you mean {hook}\?"):
        type("Odd", (base,), {name: lambda self: 1.0, "__module__": __name__})
    type("Even", (base,), {"_" + name: lambda self: 1.0, "values_of": 1.0, "__module__": __name__})


def test_names_of_bases_of_ones_own_are_no_hooks():
    class Steep(Ramp):
        def solve(self):
            return 1.0

    class Steeper(Steep):
        solver = solved = lambda self: 2.0

    assert Steeper(1.0).solve() == 1.0


def test_no_class_of_ours_has_a_name_that_is_nearly_a_hook():
    for kind in set(extend._by_name().values()) - {extend.Parametrised}:
        check_names(kind)
