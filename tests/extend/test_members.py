"""What the members that the ready-made test makes must tell apart: locations, scales and special shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from scipy import stats

from kl_plugins import kl
from kl_plugins.extend import (
    COUNT,
    POSITIVE,
    REAL,
    Absolute,
    Continuous,
    Discrete,
    Identity,
    Log,
    LogDensity,
    NoClosedFormError,
    Statistic,
    check_family,
    closed_form,
    expects,
    parameter,
)
from kl_plugins.extend import check as under_test
from kl_plugins.extend.members import typical_members


@dataclass(frozen=True, eq=False)
class AbsolutePower(Statistic):
    exponent: Any
    text = "|z|^β"

    def __call__(self, z, ops):
        return abs(z) ** self.exponent


def moment(p, order):
    ops, inverse = p.ops, 1.0 / p.beta
    return ops.exp(ops.gammaln((order + 1.0) * inverse) - ops.gammaln(inverse))


class Generalized(Continuous):
    """loc + scale·Z, Z with density β / (2 Γ(1/β)) · exp(−|z|^β)."""

    beta: Any = parameter(POSITIVE, typical=(0.8, 1.5, 3.0), static=True)
    loc: Any = parameter(REAL, default=0.0, static=True)
    scale: Any = parameter(POSITIVE, default=1.0)

    def log_density(self):
        constant = self.ops.log(0.5 * self.beta) - self.ops.gammaln(1.0 / self.beta)
        return LogDensity(constant, ((-1.0, AbsolutePower(self.beta)),))

    def standard_mean(self):
        return 0.0

    def standard_variance(self):
        return moment(self, 2.0)


def of_multiple(power_of_ratio):
    """The expectation of |z|^β where the locations agree, the ratio of scales taken as it is told."""

    def function(p, statistic, at):
        if not at.fixes_zero:
            return None
        return power_of_ratio(at.ratio, statistic.exponent) * moment(p, statistic.exponent)

    return function


def kind_with(expectation, **typical):
    stated = {name: parameter(POSITIVE, typical=values, static=True) for name, values in typical.items()}
    body = {"__module__": __name__, "__annotations__": dict.fromkeys(stated, Any), **stated}
    kind = type("Kind", (Generalized,), body)
    expects(kind, AbsolutePower)(expectation)
    return kind


OTHERS = [stats.norm(0.5, 1.0), stats.laplace(0.5, 2.0), stats.uniform(0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("others", [(), OTHERS, stats.norm(0.5, 1.0)])
def test_a_right_one_against_others(others):
    check_family(kind_with(of_multiple(lambda ratio, order: abs(ratio) ** order)), against=others)


@pytest.mark.slow
@pytest.mark.parametrize("typical", [(0.8, 1.5, 3.0), (0.7, 1.0, 2.5), (2.0,), (1.0, 2.0)])
@pytest.mark.parametrize(
    "power", [lambda ratio, order: 1.0, lambda ratio, order: ratio, lambda ratio, order: ratio**2]
)
@pytest.mark.parametrize("by_divergences", [False, True])
def test_a_forgotten_ratio(typical, power, by_divergences, monkeypatch):
    """The expectations tell, and so do the divergences by themselves."""
    if by_divergences:
        monkeypatch.setattr(under_test, "_AFFINE", ((0.0, 1.0),))
    kind = kind_with(of_multiple(power), beta=typical)
    if typical == (2.0,) and power(3.0, 2.0) == 9.0:
        check_family(kind)  # there it is right
        return
    message = "the divergence is" if by_divergences else r"E\[\|z\|\^β\] at z = 0\.0 \+ 0\.7·Z is"
    with pytest.raises(AssertionError, match=message):
        check_family(kind)


def test_a_forgotten_ratio_of_a_statistic_that_the_density_has_not():
    kind = kind_with(of_multiple(lambda ratio, order: abs(ratio) ** order))

    class Cosine(Statistic):
        text = "cos z"

        def __call__(self, z, ops):
            return z**2

    for statistic, text in ((Absolute, r"\|z\|"), (Cosine, "cos z")):
        wrong = type("Wrong", (kind,), {"__module__": __name__})
        order = 1.0 if statistic is Absolute else 2.0
        rule = lambda p, s, at, order=order: moment(p, order) if at.fixes_zero else None  # noqa: E731
        expects(wrong, statistic)(rule)
        with pytest.raises(AssertionError, match=rf"E\[{text}\] at z = 0\.0 \+ 0\.7·Z is"):
            check_family(wrong)


@pytest.mark.parametrize("forgets", [False, True])
def test_a_typical_value_that_hides_a_forgotten_ratio(forgets, monkeypatch):
    """Where a coefficient is α − 1, those of α = 1 forgive everything; the other members do not."""
    monkeypatch.setattr(under_test, "_AFFINE", ((0.0, 1.0),))

    class Gamma(Continuous):
        """Z with density z^(α−1)·exp(−z)/Γ(α) above 0."""

        alpha: Any = parameter(POSITIVE, typical=(0.7, 1.0, 2.5), static=True)
        scale: Any = parameter(POSITIVE)
        loc: Any = parameter(REAL, default=0.0, static=True)
        ends = (0.0, math.inf)

        def log_density(self):
            return LogDensity(-self.ops.gammaln(self.alpha), ((self.alpha - 1.0, Log()), (-1.0, Identity())))

        def standard_mean(self):
            return self.alpha

    @expects(Gamma, Log)
    def mean_log(p, statistic, at):
        if not at.fixes_zero:
            return None
        return p.ops.digamma(p.alpha) + (0.0 if forgets else p.ops.log(at.ratio))

    if not forgets:
        check_family(Gamma)
        return
    with pytest.raises(AssertionError, match=r"KL\(.*: the divergence is .* as stated, but .* by quadrature"):
        check_family(Gamma)


@pytest.mark.parametrize("typical", [(0.8, 1.5), (2.0,), (0.7, 1.0, 2.5)])
def test_locations_and_scales(typical):
    kind = kind_with(of_multiple(lambda ratio, order: ratio), beta=typical)
    pairs = list(permutations(typical_members(kind), 2))
    assert any(p.loc == q.loc and p.scale != q.scale for p, q in pairs)
    assert any(p.loc != q.loc and p.scale == q.scale for p, q in pairs)
    assert {p.beta for p, _ in pairs} >= set(typical)
    assert len({p.beta for p, _ in pairs}) == len(typical) + (len(typical) > 1)


def test_outcomes_are_not_moved_by_fractions():
    class Throw(Discrete):
        loc: Any = parameter(REAL, typical=(1.0, 2.0))
        ends = (0.0, 1.0)

    assert all(member.loc % 1.0 == 0.0 for member in typical_members(Throw))


def test_a_single_member_and_a_single_other():
    kind = kind_with(of_multiple(lambda ratio, order: ratio))
    with pytest.raises(AssertionError, match=r"E\[.*\] at z = 0\.0 \+ 0\.7·Z is"):
        check_family(kind, kind(0.8), stats.norm())


def test_a_number_of_outcomes_that_is_taken_for_a_number():
    class Zipf(Discrete):
        a: Any = parameter(POSITIVE)
        n: Any = parameter(COUNT, typical=(5.0, 9.0), static=True)

        def standard_ends(self):
            return 1.0, self.n

        def log_pmf(self, k):
            total = sum(j**-self.a for j in range(1, int(self.n) + 1))
            return -self.a * self.ops.log(k) - self.ops.log(total)

    for ask in (lambda: kl(Zipf(0.7, [5, 9]), Zipf(1.4, 9)), lambda: check_family(Zipf)):
        with pytest.raises(
            TypeError, match=r"Zipf.* fails on arrays of parameters \(.*\): write .*self\.ops"
        ):
            ask()


def test_an_expectation_for_equal_scales_alone():
    class Kind(Generalized):
        pass

    @expects(Kind, AbsolutePower)
    def of_equal_scales(p, statistic, at):
        if not (at.fixes_zero and p.ops.same(at.ratio, 1.0)):
            return None
        return moment(p, statistic.exponent)

    check_family(Kind)
    p, q = Kind(1.5, 0.0, 2.0), Kind(3.0, 0.0, 2.0)
    assert kl(p, q) > 0.0
    assert kl(Kind([1.5, 2.0], 0.0, [2.0, 3.0]), Kind(3.0, 0.0, [2.0, 3.0]))[0] == pytest.approx(kl(p, q))
    with pytest.raises(NoClosedFormError):
        kl(p, Kind(3.0, 0.0, 2.5))

    @closed_form(Kind, Kind)
    def of_equal_scales_whole(p, q):
        if not p.ops.same(p.scale, q.scale):
            raise NoClosedFormError("the scales differ")
        return q.broadcast(p.broadcast(0.0))

    with pytest.raises(NoClosedFormError, match="the scales differ"):
        kl(p, Kind(3.0, 0.0, 2.5))
