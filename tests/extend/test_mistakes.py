"""What a stranger gets wrong, and what he is told."""

import re
import subprocess
import sys

import pytest
from scipy import stats

from kl_plugins import entropy, estimate_kl, explain, extend, kl
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
    from_pymc,
    from_scipy,
    log_det_divergences,
    parameter,
    recognise,
    register_kl,
)
from kl_plugins.families.core.names import pymc_names, scipy_names


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


def make(*parameters):
    return Mine(1.0)


class GammaOfPyMC:
    """What has the operation of its random variables, as PyMC's classes do."""

    rv_op = type("GammaRV", (), {})()


NAMES = {
    "from_scipy: names must be strings, got <scipy": lambda: from_scipy(stats.exponnorm),
    "object at 0x": lambda: from_scipy(stats.exponnorm),
    "; did you mean 'exponnorm'?": lambda: from_scipy(stats.exponnorm(1.0, 2.0)),
    "; did you mean 'GammaRV'?": lambda: from_pymc(GammaOfPyMC),
    'write from_scipy("exponnorm") above the function': lambda: from_scipy("exponnorm", make),
    'write from_pymc("GammaRV") above the function': lambda: from_pymc(make),
    "from_scipy takes names: write": lambda: from_scipy(),
    "from_scipy('exponnorm') takes a function or a class that makes a family of ours, got 3": (
        lambda: from_scipy("exponnorm")(3)
    ),
    "from_pymc('MineRV') takes a function or a class": lambda: from_pymc("MineRV")(Mine(1.0)),
}


@pytest.mark.parametrize("message", NAMES)
def test_names_are_strings_of_functions(message):
    before = dict(scipy_names), dict(pymc_names)
    with pytest.raises(TypeError, match=re.escape(message)):
        NAMES[message]()
    assert (scipy_names, pymc_names) == before
    with pytest.raises(NoClosedFormError, match=r"no closed form is known for scipy\.stats\.anglit"):
        kl(stats.anglit(), stats.norm())


@pytest.mark.parametrize(
    ("register", "name", "table"), [(from_scipy, "norm", scipy_names), (from_pymc, "NormalRV", pymc_names)]
)
def test_names_of_the_library_are_not_replaced(register, name, table):
    message = f"{register.__name__}: {name!r} is taken by a family of kl_plugins, and .*make would replace it"
    with pytest.raises(ValueError, match=message):
        register("halflogistic" if register is from_scipy else "MineRV", name)(make)
    assert table[name] is extend.Normal
    assert not {"halflogistic", "MineRV"} & {*scipy_names, *pymc_names}  # all of the names or none


def test_names_are_not_replaced_before_the_families_are_loaded():
    code = (
        "import sys\nfrom kl_plugins.extend import from_scipy\n"
        "assert 'kl_plugins.families.normal' not in sys.modules\n"
        "from_scipy('haflogistic')(lambda loc, scale: 3)\n"  # nobody knows yet
        "assert 'scipy.stats' not in sys.modules\n"
        "from_scipy('norm')(lambda loc, scale: 3)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "'norm' is taken by a family of kl_plugins, and __main__.<lambda> would" in run.stderr


def test_the_same_function_may_be_registered_again():
    """As where a cell of a notebook runs twice, which makes the function anew."""

    def cell():
        def semicircle(loc, scale):
            return extend.Beta(1.5, 1.5, loc - scale, 2.0 * scale)

        return from_scipy("halflogistic")(semicircle)

    try:
        assert cell() is not cell()
        with pytest.raises(ValueError, match=r"is taken by .*cell\.<locals>\.semicircle, and .*make would"):
            from_scipy("halflogistic")(make)
    finally:
        del scipy_names["halflogistic"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("haflogistic", "; did you mean 'halflogistic'"),
        ("exponorm", "; did you mean 'exponnorm'"),
        ("ttest_ind", ""),
        ("Normal", ""),
    ],
)
def test_a_name_that_scipy_does_not_have(name, near):
    message = f"from_scipy was given {name!r}, a name that scipy.stats does not have{re.escape(near)}"
    with pytest.raises(ValueError, match=message):
        from_scipy(name)(make)
    assert name not in scipy_names


def test_a_name_that_was_registered_before_scipy_stats_was_imported(monkeypatch):
    monkeypatch.setitem(scipy_names, "haflogistic", make)
    with pytest.raises(NoClosedFormError, match="'haflogistic', a name that"):
        kl(stats.halflogistic(), stats.norm())


MAKERS = {
    "makes_nothing returned NoneType for scipy.stats.halflogistic, which is not one of the families": (
        lambda loc, scale: None
    ),
    "makes_nothing cannot take the 2 parameters of scipy.stats.halflogistic: too many positional": (
        lambda loc: Mine(1.0)
    ),
}


@pytest.mark.parametrize("message", MAKERS)
def test_makers_that_make_nothing(message):
    maker = MAKERS[message]
    maker.__qualname__ = "makes_nothing"
    from_scipy("halflogistic")(maker)
    try:
        with pytest.raises(TypeError, match=f"p: .*{message}"):
            kl(stats.halflogistic(), stats.norm())
    finally:
        del scipy_names["halflogistic"]


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
    assert (
        "under p of |z|, for which the registered function gives none (only_unmoved returned None); "
        "kl_plugins.estimate_kl" in str(caught.value)
    )


class LogCdf(extend.Statistic):
    """A statistic whose expectation nobody has stated."""

    text = "log Φ(z)"

    def __call__(self, z, ops):
        return 0.0 * z


class Unstated(Continuous):
    """A log density of statistics without expectations."""

    scale: float = parameter(POSITIVE)
    statistic = LogCdf()

    def log_density(self):
        return extend.LogDensity(0.0, ((-1.0, self.statistic),))


class Drifting(Unstated):
    statistic = extend.Identity()


REMEDIES = {
    "expectation under p of log Φ(z), which a function under @kl_plugins.extend.expects(Unstated, LogCdf) "
    "may state; kl_plugins.estimate_kl": lambda: kl(Unstated(1.0), Unstated(2.0)),
    "@kl_plugins.extend.expects(Normal, LogCdf) may state; ": lambda: kl(stats.norm(), Unstated(2.0)),
    "@kl_plugins.extend.expects(Mine, Softplus) may": lambda: kl(Mine(1.0), stats.logistic()),
    "expectation of log Φ(z), which a function under @kl_plugins.extend.expects(Unstated, LogCdf) may": (
        lambda: entropy(Unstated(1.0))
    ),
    "the expectation under p of z, which Drifting.standard_mean may state; kl": (
        lambda: kl(Drifting(1.0), Drifting(2.0))
    ),
}


@pytest.mark.parametrize("message", REMEDIES)
def test_what_would_have_to_be_stated(message):
    with pytest.raises(NoClosedFormError, match=re.escape(message)):
        REMEDIES[message]()


def test_the_families_of_the_library_are_not_to_be_taught():
    with pytest.raises(NoClosedFormError) as caught:
        kl(stats.laplace(), stats.logistic())
    assert "extend.expects" not in str(caught.value)
    with pytest.raises(NoClosedFormError, match="under p of log z; ") as caught:
        kl(stats.norm(), LogOnly(1.0))  # Normal has a rule of its own, which would be replaced


class LogOnly(Unstated):
    """Its support is left out."""

    statistic = extend.Log()


def stating(returned, operation="log"):
    """A family whose log density is what is given, or asks for an operation."""

    class Beginner(Unstated):
        def log_density(self):
            getattr(self.ops, operation)(2.0)
            return returned

    return Beginner(1.0)


LogDensity = extend.LogDensity
STATEMENTS = {
    "Beginner.log_density returned 0.5: return LogDensity(constant, ((": lambda: stating(0.5),
    "Beginner.log_density returned None: return LogDensity(": lambda: stating(None),
    "is no pair of a coefficient and a statistic: LogCdf is a class, write LogCdf()": lambda: stating(
        LogDensity(0.0, ((-1.0, LogCdf),))
    ),
    "Beginner.log_density: -1.0 is no pair of a coefficient and a statistic: return LogDensity(": (
        lambda: stating(LogDensity(0.0, (-1.0, LogCdf())))
    ),
    "are no terms: return LogDensity(constant": lambda: stating(LogDensity(0.0, LogCdf())),
}


@pytest.mark.parametrize("message", STATEMENTS)
@pytest.mark.parametrize(
    "ask",
    [
        entropy,
        lambda p: kl(p, stats.norm()),
        lambda p: kl(stats.norm(), p),
        lambda p: explain(stats.norm(), p),
        lambda p: estimate_kl(p, stats.norm()),
    ],
    ids=["entropy", "p", "q", "explain", "estimate"],
)
def test_log_densities_that_are_none(message, ask):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        ask(STATEMENTS[message]())


@pytest.mark.parametrize("returned", ["a third", [0.5], (1.0,), Mine(1.0), len])
def test_expectations_that_are_no_numbers(returned):
    class Beginner(Unstated):
        pass

    @expects(Beginner, LogCdf)
    def told(p, statistic, at):
        return returned

    message = r"told, registered by expects\(Beginner, LogCdf\), returned .*, which is no number: return E\["
    for ask in (entropy, lambda p: kl(p, Beginner(2.0))):
        with pytest.raises(TypeError, match=message):
            ask(Beginner(1.0))


def test_only_functions_state_expectations():
    with pytest.raises(TypeError, match=r"expects\(Unstated, Exp\) takes a function of .*, got 3"):
        expects(Unstated, Exp)(3)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("loggamma", ": did you mean gammaln? See help(kl_plugins.extend.Operations)"),
        ("psi", ": did you mean digamma? See"),
        ("sqr", ": did you mean sqrt? See"),
        ("zzz", ": See help"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, [1.0, 2.0]], ids=["numbers", "arrays"])
def test_operations_that_are_not_there(name, meant, scale):
    made = type(stating(0.0, name))(scale)
    with pytest.raises(AttributeError, match=re.escape(f"there is no operation {name!r}{meant}")):
        entropy(made)


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
