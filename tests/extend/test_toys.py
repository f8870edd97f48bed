"""A library and a structure of a stranger's: one file each, with `kl_plugins.extend` alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

from graphs import value
from kl_plugins import Dense, Diagonal, MultivariateNormal, entropy, estimate_kl, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import check_family
from toys.autoregressive import AutoRegressive
from toys.waiting_kl import LindleyFamily

TOYS = Path(__file__).parents[1] / "toys"


def test_nothing_else_is_imported():
    for file in TOYS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("kl_plugins"):
                assert node.module == "kl_plugins.extend" or [x.name for x in node.names] == ["extend"]


def test_a_library_is_found_by_its_entry_point(tmp_path):
    described = tmp_path / "waiting_kl-1.0.dist-info"
    described.mkdir()
    described.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: waiting-kl\nVersion: 1.0\n")
    described.joinpath("entry_points.txt").write_text("[kl_plugins]\ntoys = toys.waiting_kl\n")
    code = f"""
import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(TOYS.parent)!r}]
from scipy import stats
from toys.waiting import Lindley, Queue
from kl_plugins import kl
assert "toys.waiting_kl" not in sys.modules
print(kl(Lindley(2.0), Lindley(2.0)), kl(Lindley(2.0), Lindley(3.0)))
print(kl(Queue(2.0, 4.0), stats.gamma(2.0, scale=0.5)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    same, other, queue = map(float, done.stdout.split())
    assert same == 0.0
    assert other == pytest.approx(lindley(2.0, 3.0), rel=1e-12)
    assert queue == pytest.approx(kl(stats.gamma(2.0, scale=0.25), stats.gamma(2.0, scale=0.5)), rel=1e-15)


def lindley(a, b):
    """The divergence of two Lindley distributions by quadrature."""

    def density(x, theta):
        return theta**2 / (1.0 + theta) * (1.0 + x) * np.exp(-theta * x)

    def integrand(x):
        return density(x, a) * (2.0 * np.log(a / b) + np.log((1.0 + b) / (1.0 + a)) + (b - a) * x)

    return integrate.quad(integrand, 0.0, np.inf, epsabs=0.0, epsrel=1e-13)[0]


def test_the_family_of_the_library():
    check_family(LindleyFamily)
    np.testing.assert_allclose(
        kl(LindleyFamily([2.0, 0.1]), LindleyFamily(3.0)), [lindley(2.0, 3.0), lindley(0.1, 3.0)], rtol=1e-11
    )
    assert estimate_kl(LindleyFamily(2.0), LindleyFamily(3.0)).value == pytest.approx(lindley(2.0, 3.0))
    with pytest.raises(NoClosedFormError, match=r"it needs the expectation of log\(1 \+ z\)"):
        entropy(LindleyFamily(2.0))


ROOT = np.array([[0.5, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 2.0]])
OTHERS = {
    "itself": AutoRegressive(2.0, 0.5, 3),
    "another": AutoRegressive(1.5, -0.7, 3),
    "dense": Dense(ROOT @ ROOT.T),
    "diagonal": Diagonal([1.0, 2.0, 3.0]),
    "batch": AutoRegressive(np.array([[1.0], [2.0]]), np.array([0.0, 0.5, 0.9]), 3),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_structure(name):
    mean = np.array([0.3, -0.2, 1.0])
    p = MultivariateNormal(mean, OTHERS["itself"])
    q = MultivariateNormal(np.zeros(3), OTHERS[name])
    np.testing.assert_allclose(
        p.covariance.matrix(), 2.0 * 0.5 ** abs(np.subtract.outer(range(3), range(3))), rtol=1e-14
    )
    for first, second in ((p, q), (q, p)):
        dense = [MultivariateNormal(side.mean, Dense(side.covariance.matrix())) for side in (first, second)]
        np.testing.assert_allclose(kl(first, second), kl(*dense), rtol=1e-12)
        np.testing.assert_allclose(entropy(first), entropy(dense[0]), rtol=1e-13)
        columns = first.covariance.whiten_columns(np.eye(3))
        np.testing.assert_allclose(np.abs(columns), np.abs(first.covariance.inverse_factor), atol=1e-13)
    assert kl(p, p) == 0.0


def test_the_structure_in_graphs():
    v, r = pt.dscalar("v"), pt.dscalar("r")
    q = MultivariateNormal(np.zeros(3), AutoRegressive(v, r, 3))
    for p in (
        MultivariateNormal(np.ones(3), AutoRegressive(2.0, 0.5, 3)),
        pm.MvNormal.dist(np.ones(3), np.eye(3)),
    ):
        graph = kl(p, q)
        found = value([graph, *pt.grad(graph, [v, r])], {v: 1.5, r: -0.3})

        def number(v, r, p=p):
            first = (
                p if isinstance(p, MultivariateNormal) else MultivariateNormal(np.ones(3), Dense(np.eye(3)))
            )
            return kl(first, MultivariateNormal(np.zeros(3), AutoRegressive(v, r, 3)))

        slopes = [
            number(1.5 + h, -0.3 + k) - number(1.5 - h, -0.3 - k) for h, k in ((1e-6, 0.0), (0.0, 1e-6))
        ]
        np.testing.assert_allclose(found, [number(1.5, -0.3), *(np.array(slopes) / 2e-6)], rtol=1e-7)


def test_what_the_structure_says():
    p, q = (MultivariateNormal(np.zeros(3), OTHERS[name]) for name in ("itself", "another"))
    assert str(explain(p, q)).endswith("by_steps, O(1), of the same length")
    with pytest.raises(ValueError, match="correlation must be less than 1"):
        AutoRegressive(1.0, 1.0, 3)
    with pytest.raises(ValueError, match="variance must be positive"):
        AutoRegressive([1.0, -1.0], 0.5, 3)
