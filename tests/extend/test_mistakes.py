"""What a stranger gets wrong, and what he is told."""

import re

import pytest
from scipy import stats

from kl_plugins import extend, kl
from kl_plugins.extend import (
    POSITIVE,
    Continuous,
    Covariance,
    Diagonal,
    Discrete,
    Exp,
    closed_form,
    expects,
    from_scipy,
    log_det_divergences,
    parameter,
    recognise,
    register_kl,
)
from kl_plugins.families.core.names import scipy_names


class Mine(Continuous):
    """Exponential variables."""

    scale: float = parameter(POSITIVE)
    ends = (0.0, float("inf"))

    def log_density(self):
        return extend.LogDensity(0.0, ((-1.0, extend.Identity()),))

    def standard_mean(self):
        return 1.0


REGISTRATIONS = {
    "statistic must be a class under Statistic, got Exp(rate=1.0); pass its class, Exp": (
        lambda: expects(Mine, Exp(1.0))
    ),
    "expects: family must be under Continuous, got Discrete": lambda: expects(Discrete, Exp),
    "expects: family must be a class under Univariate, got type": lambda: expects(type, Exp),
    "q_type must be a class under Univariate, got norm_gen; register_kl takes": (
        lambda: closed_form(Mine, type(stats.norm))
    ),
    "closed_form: q_type must be a class under Univariate, got <": lambda: closed_form(Mine, stats.norm),
    "closed_form: p_type must be a class under Univariate, got Mine(scale=1.0); pass its class, Mine": (
        lambda: closed_form(Mine(1.0), Mine)
    ),
    "recognise.register: kind must be a class, got Mine(scale=1.0); pass its class, Mine": (
        lambda: recognise.register(Mine(1.0))
    ),
    "write @recognise.register(Class) above a function": lambda: recognise.register(len),
    "log_det_divergences: p_type must be a class, got Diagonal(variances=array([1.])); pass its": (
        lambda: log_det_divergences.register(Diagonal([1.0]), Covariance, cost="O(1)")
    ),
    "log_det_divergences: q_type must be a class, got 'Dense'": (
        lambda: log_det_divergences.register(Diagonal, "Dense", cost="O(1)")
    ),
    "register_kl: q_type must be a class, got <": lambda: register_kl(Mine, stats.norm),
}


@pytest.mark.parametrize("message", REGISTRATIONS)
def test_what_is_registered_must_be_a_class(message):
    with pytest.raises(TypeError, match=re.escape(message)):
        REGISTRATIONS[message]()


def test_a_name_that_scipy_does_not_have():
    from_scipy("semicirclar")(lambda loc, scale: Mine(scale))
    try:
        with pytest.raises(NotImplementedError) as caught:
            kl(stats.semicircular(), stats.norm())
    finally:
        del scipy_names["semicirclar"]
    assert "'semicirclar', a name that scipy.stats does not have" in str(caught.value)
