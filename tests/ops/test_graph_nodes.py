"""The nodes of our own in a PyTensor graph: formulas of scalars, and checks of all parameters at once."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import mpmath
import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from pytensor.compile.mode import Mode
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.elemwise import Elemwise

import kl_plugins
from graphs import value
from kl_plugins.families.normal import Normal
from kl_plugins.formulas.bessel import log_skellam
from kl_plugins.formulas.cancellation_free import log_one_less_exp, log_ratio
from kl_plugins.formulas.shared import scale_divergence, variance_divergence
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.pytensor.checks import check_all
from kl_plugins.ops.pytensor.entrywise import Taken
from kl_plugins.ops.pytensor.first_failing import FirstFailing, first_failing
from kl_plugins.ops.pytensor.for_c import one_number

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
]

EXACT = {
    scale_divergence: lambda p, q: (mpmath.mpf(p) / q) ** 2 / 2 - 0.5 - mpmath.log(mpmath.mpf(p) / q),
    variance_divergence: lambda p, q: mpmath.mpf(p) / q / 2 - 0.5 - mpmath.log(mpmath.mpf(p) / q) / 2,
}


@pytest.mark.parametrize("formula", EXACT)
@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1)])
def test_derivatives_of_every_order(formula, orders):
    """By p and by q, near and far, one node each: against derivatives in 50 digits."""
    p, q = pt.dscalars("p", "q")
    graph = formula(p, q, ops)
    for variable, times in zip((p, q), orders, strict=True):
        for _ in range(times):
            graph = pytensor.grad(graph, variable)
    for point in ((1.3, 1.2), (0.2, 1.7), (4.0, 1.0)):
        with mpmath.workdps(50):
            exact = mpmath.diff(EXACT[formula], point, orders) if any(orders) else EXACT[formula](*point)
        got = value(graph, dict(zip((p, q), point, strict=True)))
        # Of variances the mixed third one is zero: what is left of terms as large as 1/(2p²) = 12.5.
        np.testing.assert_allclose(got, float(exact), rtol=1e-12, atol=1e-14)


def test_formula_is_one_node_and_broadcasts():
    p, q = pt.dmatrix("p"), pt.dscalar("q")
    graph = scale_divergence(p, q, ops)
    assert len(graph.owner.inputs) == 2
    points = {p: np.array([[1.0, 2.0], [3.0, 0.5]]), q: 1.5}
    got, by_p, by_q = value([graph, *pytensor.grad(graph.sum(), [p, q])], points)
    np.testing.assert_allclose(
        got, [[float(EXACT[scale_divergence](x, 1.5)) for x in row] for row in points[p]]
    )
    np.testing.assert_allclose(by_p, points[p] / 1.5**2 - 1 / points[p])
    np.testing.assert_allclose(by_q, np.sum(1 / 1.5 - points[p] ** 2 / 1.5**3))


def test_nodes_can_be_pickled():
    """PyTensor pickles nodes as keys of its cache, and PyMC to send a model to its processes."""
    p, q = pt.dscalars("p", "q")
    graph = scale_divergence(p, q, ops)
    _ = pytensor.grad(graph, p)
    guarded = check_all(graph, [(p > 0.0, "p"), (q > 0.0, "q")])
    for node in (graph.owner, guarded.owner):
        assert pickle.loads(pickle.dumps(node.op)) == node.op


def test_a_formula_whose_derivative_has_it_can_be_pickled():
    mean, other = pt.dscalars("mean", "other")
    graph = log_skellam(1.0, mean, other, ops)
    first = pytensor.grad(graph, mean)
    copy = pickle.loads(pickle.dumps(graph.owner.op))
    assert copy == graph.owner.op
    again = pytensor.grad(copy(*graph.owner.inputs), mean)
    assert value(again, {mean: 3.0, other: 2.0}) == value(first, {mean: 3.0, other: 2.0})


def test_formulas_are_functions_of_modules():
    """Others cannot be pickled, as PyTensor 2 does when it compiles derivatives for C."""
    handed = [
        argument
        for path in Path(kl_plugins.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "elementwise"
        for argument in node.args[:2]
    ]
    assert len(handed) > 100
    assert not [ast.unparse(one) for one in handed if isinstance(one, ast.Lambda | ast.Call)]


@pytest.mark.parametrize("mode", ["CVM", "NUMBA"])
def test_logarithm_of_one_less_an_exponential(mode):
    x = pt.dscalar("x")
    graph = log_one_less_exp(x, ops)
    slope = pytensor.grad(graph, x)
    assert pickle.loads(pickle.dumps(slope.owner.op)) == slope.owner.op
    function = pytensor.function([x], [graph, slope], mode=mode)
    for at in (0.1, 3.0):
        assert function(at) == pytest.approx([np.log(-np.expm1(-at)), 1.0 / np.expm1(at)], rel=1e-14)


MESSAGES = {"x must be positive": -1.0, "x must be finite": np.inf}


@pytest.mark.parametrize("mode", ["CVM", "NUMBA"])
def test_checks_say_which_condition_does_not_hold(mode):
    x = pt.dvector("x")
    conditions = zip((x > 0.0, pt.invert(pt.isinf(x))), MESSAGES, strict=True)
    function = pytensor.function([x], check_all(pt.sum(x), list(conditions)), mode=mode)
    assert function([1.0, 2.0]) == 3.0
    for message, bad in MESSAGES.items():
        with pytest.raises(ParameterValueError, match=message):
            function([1.0, bad])


def test_what_a_condition_uses_twice_is_taken_apart_once():
    """Else work doubles with each of the operations."""
    x = pt.dscalar("x")
    y, between = x, set()
    for _ in range(60):
        y = pt.sin(y) + pt.cos(y)
        between |= {y, *y.owner.inputs}
    taken = Taken([y > 0.0], between)
    assert taken.inputs == [x]
    (condition,) = taken.conditions
    assert len(condition.holds.fgraph.apply_nodes) == 3 * 60 + 1


def test_in_c_conditions_on_entries_are_one_node_that_finds_the_first():
    entries, matrix, number = pt.dvector(), pt.dmatrix(), pt.dscalar()
    holds = [pt.all(entries > 0.0), number < 5.0, pt.all(pt.invert(pt.isnan(matrix))), pt.all(entries < 9.0)]
    found = first_failing(Taken(holds, ()))
    assert isinstance(found.owner.op, FirstFailing)
    assert set(found.owner.inputs) == {entries, matrix, number}
    good, whole = np.array([1.0, 2.0, 3.0]), np.ones((2, 3))
    nan = np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0]]).T[:, ::-1]
    cases = [
        (0, good, whole, 1.0), (1, -good, nan, 9.0), (2, good, nan, 9.0), (3, 5.0 * good, nan, 1.0),
        (4, np.repeat(5.0 * good, 2)[::2], whole, 1.0), (0, good[:0], whole[:0], 1.0),
    ]  # fmt: skip
    for linker in ("py", "cvm") if pytensor.config.cxx else ("py",):
        run = pytensor.function([entries, matrix, number], found, mode=Mode(linker, None))
        assert [int(run(*case[1:])) for case in cases] == [case[0] for case in cases]
    assert first_failing(Taken([number < 5.0, number > 1.0], ())) is None  # which are fused with the rest


def conditions_on_a_matrix(matrix, vector):
    """Conditions as covariances have them: with transposes, diagonals, triangles and broadcasting."""
    rows, columns = ops.eye_like(matrix).owner.inputs[0].owner.inputs
    scale = pt.sqrt(pt.abs(pt.diagonal(matrix)))
    gap = pt.abs(matrix - matrix.T)
    return [
        pt.all(gap <= 0.5 * scale[:, None] * scale[None, :]),
        pt.all(pt.eq(pt.switch(rows > columns, matrix.T, 0.0), 0.0)),
        pt.all(pt.invert(pt.eq(pt.diagonal(matrix), 0.0))),
        pt.eq(matrix.shape[-1], vector.shape[0]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["CVM", "NUMBA"])
def test_conditions_on_matrices_are_loops(mode):
    """Against the same conditions by NumPy; no array is made for them."""
    matrix, vector = pt.dmatrix("matrix"), pt.dvector("vector")
    messages = ["symmetric", "lower", "regular", "as many"]
    conditions = list(zip(conditions_on_a_matrix(matrix, vector), messages, strict=True))
    function = pytensor.function([matrix, vector], check_all(pt.sum(vector), conditions), mode=mode)
    kinds = {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes}
    assert not kinds & {"All", "CAReduce", "ExtractDiag", "ARange"}
    lower = np.array([[1.0, 0.0, 0.0], [0.1, 2.0, 0.0], [0.2, 0.3, 3.0]])
    bad = [lower + 9.0 * np.eye(3, k=-1), lower + 0.1 * np.eye(3, k=1), np.diag([1.0, 0.0, 3.0]), lower]
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda x: np.kron(x, np.ones((2, 2)))[::2, ::2]):
        assert function(layout(lower), np.ones(3)) == 3.0
        for matrix_, length, message in zip(bad, (3, 3, 3, 2), messages, strict=True):
            with pytest.raises(ParameterValueError, match=message):
                function(layout(matrix_), np.ones(length))
    with pytest.raises(ParameterValueError, match="symmetric"):
        function(lower[:2], np.ones(3))


@pytest.mark.slow
def test_in_numba_formulas_are_as_in_python():
    """Fused with other operations, once and several times, and of single precision."""
    p, q, r = pt.dscalars("p", "q", "r")
    terms = [
        scale_divergence(p, q, ops),
        variance_divergence(q, r, ops) * pt.exp(-p),
        scale_divergence(q, r, ops),
    ]
    graphs = [pt.add(*terms), *pytensor.grad(pt.add(*terms), [p, q, r])]
    graphs += [pytensor.grad(scale_divergence(*[pt.cast(x, "float32") for x in (p, r)], ops), p)]
    graphs = [check_all(graphs[0], [(p > 0.0, "p"), (q < r, "q")]), *graphs[1:]]
    function = pytensor.function([p, q, r], graphs, mode="NUMBA")
    for point in ((1.3, 1.2, 1.21), (0.2, 1.7, 50.0), (4.0, 1.0, 1.0 + 1e-9)):
        exact = value(graphs, dict(zip((p, q, r), point, strict=True)))
        np.testing.assert_allclose(function(*point)[:-1], exact[:-1], rtol=1e-13)
        np.testing.assert_allclose(function(*point)[-1], exact[-1], rtol=1e-5)


def test_in_c_conditions_are_one_number():
    x = pt.dscalar("x")
    graph = check_all(2.0 * x, [(x > 0.0, "positive"), (x < 5.0, "small")])
    one = one_number(graph.owner)
    for point, number in ((1.0, 0), (-1.0, 1), (6.0, 2)):
        assert value(one.owner.inputs[1], {x: point}) == number
    assert value(one, {x: 1.0}) == 2.0
    with pytest.raises(ParameterValueError, match="small"):
        value(one, {x: 6.0})


def test_a_formula_is_one_function_of_c():
    """However many terms use it: the compiler takes as long as there is code."""
    x, y, z = (ps.float64(name) for name in "xyz")
    formula = scale_divergence(*pt.dscalars("p", "q"), ops).owner.op.scalar_op
    (name,) = re.findall(r"static npy_float64 (formula_\w+)", formula.c_support_code())
    both = ps.Composite([x, y, z], [formula(x, y) + formula(y, z)])
    assert both.c_support_code().count(f"static npy_float64 {name}") == 1
    assert both.c_code_template.count(name) == 2
    p, q, r = pt.dscalars("p", "q", "r")
    function = pytensor.function([p, q, r], Elemwise(both)(p, q, r), mode="CVM")
    exact = sum(float(EXACT[scale_divergence](*pair)) for pair in ((0.2, 1.7), (1.7, 1.6)))
    np.testing.assert_allclose(function(0.2, 1.7, 1.6), exact)


def test_checks_of_a_vectorised_graph():
    x, batch = pt.dscalar("x"), pt.dvector("batch")
    graph = vectorize_graph(check_all(2.0 * x, [(x > 0.0, "positive"), (x < 5.0, "small")]), {x: batch})
    np.testing.assert_array_equal(value(graph, {batch: [1.0, 2.0]}), [2.0, 4.0])
    with pytest.raises(ParameterValueError, match="small"):
        value(graph, {batch: [1.0, 6.0]})


def test_one_check_for_both_sides():
    """Compiling a node for each condition would take longer than compiling the divergence."""
    from kl_plugins import kl

    graph = kl(Normal(*pt.dscalars("a", "b")), Normal(*pt.dscalars("c", "d")))
    assert len(graph.owner.op.messages) == 6
    assert not hasattr(graph.owner.inputs[0].owner.op, "messages")


def test_derivatives_that_need_some_inputs_only_keep_their_shape():
    """PyTensor's rewrites drop unused inputs, and would lose the shape that these broadcast to."""
    p, q = pt.tensor("p", dtype="float64", shape=(1,)), pt.tensor("q", dtype="float64", shape=(3,))
    by_p = pytensor.grad(log_ratio(p, q, ops).sum(), p)
    with pytensor.config.change_flags(on_opt_error="raise"):
        function = pytensor.function([p, q], by_p, mode=Mode("py", "fast_run"), on_unused_input="ignore")
    np.testing.assert_allclose(function([2.0], [1.0, 2.0, 3.0]), [1.5])
