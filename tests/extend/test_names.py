"""What `kl_plugins.extend` offers."""

import pydoc
import subprocess
import sys

import pytest
from scipy import stats

from kl_plugins import NoClosedFormError, extend, kl
from kl_plugins.families.core.names import scipy_names


def test_all_names_are_there():
    assert extend.__all__ == sorted(
        extend.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    for name in extend.__all__:
        assert hasattr(extend, name)


def test_families_and_structures_by_name():
    from kl_plugins.covariance.full import Full
    from kl_plugins.families.gamma import GeneralizedGamma

    assert (extend.GeneralizedGamma, extend.Full) == (GeneralizedGamma, Full)
    for name in ("Nothing", "nothing", "Parameter"):
        with pytest.raises(AttributeError, match=f"'kl_plugins.extend' has no attribute '{name}'"):
            getattr(extend, name)


def test_the_directory_lists_families_and_structures():
    assert {"GeneralizedGamma", "Full", "parameter", "POSITIVE"} <= set(dir(extend))
    assert [name for name in dir(extend) if not hasattr(extend, name)] == []


def test_help_says_what_to_register():
    shown = pydoc.render_doc(extend.log_det_divergences)
    assert "½ [tr(Σq⁻¹Σp) − d − ln det(Σq⁻¹Σp)]" in shown
    assert "Whether z is certainly a multiple of Z." in pydoc.render_doc(extend.AffineMap)


def test_a_rule_that_declines():
    """What the documentation of the table says to return instead."""
    p, q = extend.Diagonal([1.0, 2.0]), extend.Diagonal([2.0, 3.0])
    a, b = extend.Cholesky(p.factor), extend.Cholesky(q.factor)
    rules = extend.log_det_divergences
    assert rules.find(a, b)(a, b) == pytest.approx(rules.find(p, q)(p, q), rel=1e-14)


def test_a_name_of_scipy():
    """The sum of two uniform variables is a triangular one, which nobody has said yet."""
    of_two = stats.irwinhall(2, 0.5, 2.0)
    with pytest.raises(NoClosedFormError):
        kl(of_two, of_two)

    @extend.from_scipy("irwinhall")
    def _(n, loc, scale):
        return extend.Triangular(0.5, loc, n * scale)

    try:
        assert kl(of_two, stats.triang(0.5, 0.5, 4.0)) == 0.0
    finally:
        del scipy_names["irwinhall"]


def test_it_is_light():
    code = "import sys, kl_plugins.extend; print(*sys.modules)"
    brought = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"pymc", "pytensor", "scipy.stats", "scipy.special", "scipy.integrate", "pandas", "numba", "jax"}
    assert not heavy & set(brought.split())
    assert "kl_plugins.families.gamma" not in brought.split()
