"""Where a float raises and an array would not, arrays serve; whatever else is wrong is raised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kl_plugins.ops import floats
from kl_plugins.ops import numpy as array_ops
from kl_plugins.recognition import recognise

P, Q = recognise(stats.norm(0.0, 1.0)), recognise(stats.norm(1.0, 2.0))


def mistaken(p, q):
    raise ValueError("a bug")


def mistaken_unpacking(p, q):
    first, _ = [*p.parameters, *q.parameters]
    return first


def doubled(x, ops):
    return 2.0 * x


@pytest.mark.parametrize("formula", [mistaken, mistaken_unpacking])
@pytest.mark.parametrize("number", [0.0, 1.0])
def test_a_bug_is_not_hidden(formula, number):
    """Also not where the arrays would not have it."""

    def of_floats_only(p, q):
        return formula(p, q) if p.ops.scalar else np.asarray(number)

    with pytest.raises(ValueError, match=r"a bug|unpack"):
        floats.evaluate(of_floats_only, P, Q)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda p, q: p.ops.log(p.mean), -np.inf),
        (lambda p, q: p.ops.elementwise(lambda x, ops: ops.sqrt(-x), None, q.mean), np.nan),
        (lambda p, q: p.ops.choose(p.mean < 1.0, lambda x, ops: ops.log1p(-x), doubled, q.mean), -np.inf),
        (lambda p, q: p.ops.gammaln(p.mean), np.inf),
        (lambda p, q: p.ops.power(p.mean, -q.mean), np.inf),
        (lambda p, q: p.ops.exp(1000.0 * q.mean), np.inf),
        (lambda p, q: q.mean / p.mean, np.inf),
    ],
)
def test_outside_of_a_functions_domain_arrays_serve(formula, expected):
    with pytest.raises((ValueError, ArithmeticError)):
        formula(P, Q)
    assert floats.evaluate(formula, P, Q) == pytest.approx(expected, nan_ok=True)


def test_short_vectors_hide_no_bugs():
    def formula(x, ops):
        if ops is not array_ops:
            raise ValueError("a bug")
        return x

    x = np.array([1.0, 0.0])
    with pytest.raises(ValueError, match="a bug"):
        array_ops.elementwise(formula, None, x)
    with np.errstate(divide="ignore"):
        found = array_ops.elementwise(lambda x, ops: ops.log(x), None, x)
    assert found.tolist() == [0.0, -np.inf]
