"""Functions that run in Python go through a formula operation by operation, on whole arrays."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.scalar.basic import Composite
from pytensor.tensor.elemwise import Elemwise

from kl_plugins import kl
from kl_plugins.ops.pytensor.on_arrays import UNCOMPILED

THETA = np.array([0.01, 0.5, 1.0, 2.0, 300.0])
PAIRS = {
    "normal": lambda x: kl(pm.Normal.dist(0.0, x), pm.Normal.dist(1.0, 2.0)),
    "gamma": lambda x: kl(pm.Gamma.dist(x, 2.0), pm.Gamma.dist(3.0, x)),
    "sum": lambda x: kl(pm.BetaBinomial.dist(n=5, alpha=x, beta=2.0 * x), pm.Binomial.dist(5, 0.3)),
}


def composites(function):
    nodes = function.maker.fgraph.apply_nodes
    return [n for n in nodes if isinstance(n.op, Elemwise) and isinstance(n.op.scalar_op, Composite)]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_the_same_numbers_without_a_loop_in_python(name):
    x = pt.dvector("x")
    found = pytensor.function([x], PAIRS[name](x[:, None])[:, 0], mode=UNCOMPILED)
    looping = pytensor.function([x], PAIRS[name](x[:, None])[:, 0], mode=Mode("py", "fast_compile"))
    assert composites(looping)
    assert not composites(found)
    np.testing.assert_allclose(found(THETA), looping(THETA), rtol=1e-12)
