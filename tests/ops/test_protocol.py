"""Every backend has the operations of its contract and no others, and they agree on values."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module

import numpy as np
import pytensor.tensor as pt
import pytest

from graphs import value
from kl_plugins.ops import floats
from kl_plugins.ops import numpy as arrays
from kl_plugins.ops import pytensor as graphs
from kl_plugins.ops.protocol import ArrayOperations, Operations, SymbolicOperations


def members(contract):
    return {
        name
        for base in contract.__mro__
        if base.__module__ == contract.__module__
        for name in [*vars(base), *vars(base).get("__annotations__", {})]
        if not name.startswith("_")
    }


OF_NUMPY_ALONE = {
    *("in_pieces", "of_long_vectors", "plain_covariances", "plain_means"),
    *("by_loop", "column_norms_below", "cholesky_band_gradient", "cholesky_band_step"),
}
NODES = {"SolveLowerBand", "CovarianceRecursion", "CholeskyBand", "CholeskyBandGradient"}
BACKENDS = {
    "floats": (Operations, ["", ".special"], set()),
    "numpy": (ArrayOperations, ["", ".bands", ".matrices", ".special"], OF_NUMPY_ALONE),
    "pytensor": (SymbolicOperations, ["", ".bands", ".matrices", ".special"], NODES),
}


def defined(module):
    """The public functions and variables that the text of a module defines, but for constants."""
    for statement in ast.parse(inspect.getsource(module)).body:
        targets = getattr(statement, "targets", [statement])
        names = [getattr(target, "id", getattr(target, "name", "_")) for target in targets]
        yield from (name for name in names if not (name.startswith("_") or name.isupper()))


@pytest.mark.parametrize("name", BACKENDS)
def test_each_backend_has_just_the_operations_of_its_contract(name):
    contract, rooms, others = BACKENDS[name]
    rooms = [import_module(f"kl_plugins.ops.{name}{room}") for room in rooms]
    assert {operation for operation in members(contract) if not hasattr(rooms[0], operation)} == set()
    assert {operation for room in rooms for operation in defined(room)} - members(contract) == others


ON_NUMBERS = {
    **dict.fromkeys(["absolute", "arctan", "cos", "erf", "erfc", "exp", "expm1", "floor", "sin"], (0.7,)),
    **dict.fromkeys(["sign", "absolute", "arctan", "expm1", "floor", "zeros_like"], (-0.3,)),
    **dict.fromkeys(["digamma", "trigamma", "gammaln", "log", "log1p", "sqrt"], (0.4,)),
    **dict.fromkeys(["isfinite", "isinf", "isnan", "complement", "zero_or_nan"], (0.25,)),
    **dict.fromkeys(["maximum", "minimum", "power", "equal", "gammainc", "gammaincc"], (1.5, 2.5)),
    "betainc": (1.5, 2.5, 0.3),
}


def in_all(function, *numbers):
    """What a function of arguments and operations is on each backend, as an array."""
    variables = [pt.dscalar() for _ in numbers]
    yield function(*numbers, floats)
    yield function(*map(np.asarray, numbers), arrays)
    yield value(function(*variables, graphs), dict(zip(variables, numbers, strict=True)))


@pytest.mark.parametrize("name", ON_NUMBERS)
def test_elementary_functions_agree(name):
    first, *others = in_all(lambda *args: getattr(args[-1], name)(*args[:-1]), *ON_NUMBERS[name])
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-14)


@pytest.mark.parametrize("x", [0.5, 2.0])
@pytest.mark.parametrize("choice", ["select", "pick", "choose", "rarely", "where", "replace"])
def test_choices_agree(choice, x):
    def chosen(x, ops):
        condition = ops.logical_and(x < 1.0, ops.logical_not(ops.logical_or(x < 0.0, ops.equal(x, 1.0))))
        if choice == "replace":
            return ops.replace(-x, condition, 2.0 * x)
        if choice == "where":
            return ops.where(condition, 2.0 * x, -x)
        if choice in ("choose", "rarely"):
            return getattr(ops, choice)(condition, lambda x, ops: 2.0 * x, lambda x, ops: -x, x)
        return getattr(ops, choice)(condition, lambda x: 2.0 * x, lambda x: -x, x)

    for found in in_all(chosen, x):
        assert found == (2.0 * x if x < 1.0 else -x)


def _value(x, ops):
    return ops.exp(x) * x


def _gradient(x, ops):
    return (ops.exp(x) * (1.0 + x),)


def test_formulas_agree():
    for found in in_all(lambda x, ops: ops.elementwise(_value, _gradient, x), 0.3):
        np.testing.assert_allclose(found, 0.3 * np.exp(0.3), rtol=1e-15)


@pytest.mark.parametrize("ops", [floats, arrays, graphs])
def test_what_is_known_of_a_number(ops):
    number = ops.asarray(2.0, "x")
    assert ops.literal(2.0) == ops.known(number) == 2.0
    assert ops.same(number, ops.asarray(2.0, "x"))
    assert not ops.same(number, ops.asarray(3.0, "x"))
    assert ops.inside(2.0, 1.0, 3.0)
    assert not ops.inside(2.0, 2.0, 3.0)
    assert ops.shape(number) == ()
    assert ops.known_log(number) is None
    assert ops.epsilon(number) == np.finfo(np.float64).eps
    assert ops.evaluate(lambda x: x, 2.0) == 2.0
    with pytest.raises((ValueError, TypeError)):
        ops.asarray("one", "x")


def test_nothing_is_known_of_an_input():
    x = pt.dscalar("x")
    assert graphs.literal(x) is None
    assert graphs.known(x) is None
    assert not graphs.inside(x, -np.inf, np.inf)
    assert graphs.same(x, x[None])  # dimensions of length 1 broadcast
    assert not graphs.same(x, pt.dscalar("y"))


ROOT = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.6]])
MATRIX = ROOT @ ROOT.T
VECTOR = np.array([0.5, -0.2, 1.1])
ON_ARRAYS = {
    **dict.fromkeys(["diagonal", "flip", "transpose", "eye_like", "sum_of_squares", "is_finite"], (MATRIX,)),
    **dict.fromkeys(
        [
            "square",
            "max_last",
            "min_first",
            "sum_last",
            "sum_of_squares_last",
            "is_symmetric",
            "strictly_lower",
        ],
        (MATRIX,),
    ),
    **dict.fromkeys(["expand_last", "from_diagonal", "frozen", "stop_gradient"], (VECTOR,)),
    **dict.fromkeys(["inverse_lower", "cholesky_of_root"], (ROOT,)),
    **dict.fromkeys(["matmul", "solve_lower", "solve_lower_transposed", "lower"], (ROOT, MATRIX)),
    "add_to_diagonal": (MATRIX, VECTOR, ROOT),
    "below_diagonal": (MATRIX[:, :2],),
    "covariance_recursion": (np.stack([ROOT, MATRIX, ROOT.T]), np.stack([MATRIX] * 3)),
    **dict.fromkeys(["solve_lower_band", "solve_lower_band_transposed"], (ROOT[:2] + 1.0, VECTOR)),
    "triangular_ratio_squares": (ROOT, 2.0 * ROOT, np.array([True, False, True])),
    "steps": (np.array(3.0),),
    "take_along_last": (VECTOR, np.array([2, 0])),
}
OTHERS = {
    "all_last": lambda a, v, ops: ops.all_last(a > 0.0),
    "all_last_two": lambda a, v, ops: ops.all_last_two(a > 0.0),
    "all_finite": lambda a, v, ops: ops.all_finite(a, 2),
    "all_positive": lambda a, v, ops: ops.all_positive(a, 2),
    "broadcast_arrays": lambda a, v, ops: ops.broadcast_arrays(a, v)[1],
    "broadcast_to": lambda a, v, ops: ops.broadcast_to(v, (2, 3)),
    "cholesky": lambda a, v, ops: ops.cholesky(a, "matrix"),
    "cholesky_band": lambda a, v, ops: ops.cholesky_band(
        ops.transpose(ops.concatenate([v[:, None] ** 2 + 3.0, v[:, None]])), "matrix"
    ),
    "concatenate": lambda a, v, ops: ops.concatenate([a, a]),
    "of_factors": lambda a, v, ops: ops.of_factors(
        lambda x: ops.sum_of_squares_last(x), [lambda x: 2.0 * x], [v], [None]
    ),
    "runtime_shape": lambda a, v, ops: ops.zeros_like(v) + ops.runtime_shape(a)[-1],
    "same_columns": lambda a, v, ops: ops.same_columns(a, a[:, :1])[1],
    "stack_blocks": lambda a, v, ops: ops.stack_blocks([a, a]),
    "sum_over_rows": lambda a, v, ops: ops.sum_over_rows(
        lambda x, y: (ops.matmul(ops.transpose(x[..., None] * y), y),), [v], [a]
    )[0],
    "take": lambda a, v, ops: ops.take(v, [2, 0]),
}


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_operations_on_arrays_agree(name):
    given = ON_ARRAYS[name]
    variables = [pt.tensor(dtype=x.dtype, shape=x.shape) for x in given]
    graph = getattr(graphs, name)(*variables)
    found = value(graph, dict(zip(variables, given, strict=True)))
    np.testing.assert_allclose(found, getattr(arrays, name)(*given), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", OTHERS)
def test_operations_on_several_arrays_agree(name):
    a, v = pt.tensor(shape=(3, 3), dtype="float64"), pt.tensor(shape=(3,), dtype="float64")
    found = value(OTHERS[name](a, v, graphs), {a: MATRIX, v: VECTOR})
    np.testing.assert_allclose(found, OTHERS[name](MATRIX, VECTOR, arrays), rtol=1e-13, atol=1e-15)


def test_a_block_of_a_batch_is_like_the_batch():
    def powers(x, y, ops):
        return ops.sum_last(ops.expand_last(x) * np.arange(3.0) + ops.expand_last(y))

    x, y = np.linspace(0.0, 1.0, 40).reshape(20, 2), np.array([0.5, 2.0])
    np.testing.assert_allclose(arrays.blockwise(powers, x, y), 3.0 * (x + y), rtol=1e-15)
    assert arrays.blockwise(powers, x[:0], y).shape == (0, 2)
    np.testing.assert_allclose(value(graphs.blockwise(powers, pt.constant(x), pt.constant(y))), 3.0 * (x + y))


def test_every_operation_is_compared():
    compared = {*ON_NUMBERS, *ON_ARRAYS, *OTHERS, "select", "pick", "choose", "rarely", "where", "replace"}
    compared |= {"elementwise", "blockwise"}
    compared |= {"logical_and", "logical_or", "logical_not", "asarray", "literal", "known", "same", "inside"}
    compared |= {"known_log", "epsilon", "shape", "evaluate"}
    rest = {"symbolic", "scalar", "graphs", "require"}
    assert members(ArrayOperations) - compared == rest
