"""Names that have changed: the old ones are there for a release."""

from importlib import import_module

import pytest

FAMILIES = "kl_plugins.families."
CHANGED = {
    "exponentiated.Exponentiated": "log_transformed.LogTransformed",
    "exponentiated.LogNormal": "log_transformed.LogNormal",
    "exponentiated.LogLogistic": "log_transformed.LogLogistic",
    "exponentiated.LogLaplace": "log_transformed.LogLaplace",
    "exponents.Boltzmann": "discrete_exponential.Boltzmann",
    "exponents.DiscreteLaplace": "discrete_exponential.DiscreteLaplace",
    "exponents.LogSeries": "discrete_exponential.LogSeries",
    "gamma.Gamma": "gamma.GeneralizedGamma",
    "urns.BetaBinomial": "hypergeometric.BetaBinomial",
    "urns.Hypergeometric": "hypergeometric.Hypergeometric",
}


def found(name):
    module, _, attribute = (FAMILIES + name).rpartition(".")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize(("old", "new"), CHANGED.items())
def test_old_names_warn(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is {FAMILIES}{new} now") as caught:
        assert found(old) is found(new)
    assert caught[0].filename == __file__


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'LogCauchy'"):
        found("exponentiated.LogCauchy")
