"""What a stranger gets wrong, and what he is told."""

import re

import pytest
from scipy import stats

from kl_plugins import estimate_kl, explain, extend, kl
from kl_plugins.extend import (
    POSITIVE,
    Absolute,
    Continuous,
    Covariance,
    Density,
    Diagonal,
    Discrete,
    Exp,
    NoClosedFormError,
    closed_form,
    density_of,
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


MAKERS = {
    "makes_nothing returned NoneType for scipy.stats.semicircular, which is not one of the families": (
        lambda loc, scale: None
    ),
    "makes_nothing cannot take the 2 parameters of scipy.stats.semicircular: too many positional": (
        lambda loc: Mine(1.0)
    ),
}


@pytest.mark.parametrize("message", MAKERS)
def test_makers_that_make_nothing(message):
    maker = MAKERS[message]
    maker.__qualname__ = "makes_nothing"
    from_scipy("semicircular")(maker)
    try:
        with pytest.raises(TypeError, match=f"p: .*{message}"):
            kl(stats.semicircular(), stats.norm())
    finally:
        del scipy_names["semicircular"]


def test_no_density():
    density_of.register(Mine, lambda obj: None)
    try:
        with pytest.raises(TypeError, match=r"q: density_of\(Mine\) returned NoneType, which is no Density"):
            estimate_kl(stats.norm(), Mine(1.0))
    finally:
        density_of.register(Mine, density_of.dispatch(Continuous))


class Waiting(Continuous):
    """Exponential variables, whose divergences from each other need the expectation of |z|."""

    scale: float = parameter(POSITIVE)
    loc: float = parameter(extend.REAL, default=0.0, static=True)

    def log_density(self):
        return extend.LogDensity(0.0, ((-1.0, Absolute()),))


@expects(Waiting, Absolute)
def only_unmoved(p, statistic, at):
    return at.ratio if at.fixes_zero and at.ratio == 1.0 else None


def test_expectation_that_is_registered_but_not_for_the_map():
    assert kl(Waiting(1.0), Waiting(1.0)) == 0.0
    with pytest.raises(NoClosedFormError) as caught:
        kl(Waiting(1.0), Waiting(2.0))
    assert "under p of |z| at z = shift + ratio·Z, for which the registered function gives" in str(
        caught.value
    )


def test_closed_form_that_declines_names_the_pair():
    class Wide(Mine):
        pass

    @closed_form(Wide, Wide)
    def only_some(p, q):
        raise NoClosedFormError("only the exponential")

    for asked in (kl, explain):
        with pytest.raises(NoClosedFormError) as caught:
            asked(Wide(1.0), Wide(2.0))
        assert str(caught.value) == (
            "no closed form of KL(p‖q) is known for p: Wide and q: Wide: only the exponential; "
            "kl_plugins.estimate_kl estimates it with its error, "
            "kl_plugins.register_kl registers a closed form"
        )


@pytest.mark.parametrize("measure", ["cont", "continous", "Continuous", "discret", "mix"])
def test_misspelt_measures(measure):
    with pytest.raises(ValueError, match=f"measure '{measure}' of Mine: did you mean"):
        Density("Mine", measure, lambda x: x)


@pytest.mark.parametrize("measure", ["continuous", "discrete", "mixed", "simplex", "sphere", "words"])
def test_measures(measure):
    assert Density("Mine", measure, lambda x: x).measure == measure
