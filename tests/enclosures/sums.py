"""KL(p‖q) = Σ p (log p − log q) as a ball: the first outcomes one by one, the rest by a geometric series.

**Lemma.** Let p(k+1)/p(k) ≤ ρ < 1 and |r(k+1) − r(k)| ≤ s·k for all k ≥ K ≥ 1, where r = log p − log q. Then
|r(K+j)| ≤ |r(K)| + s·j·(K+j), and Σ_{k≥K} p |r| ≤ p(K) Σ_j ρ^j (|r(K)| + s·j·(K+j)), which is p(K) times
|r(K)|/(1 − ρ) + s·[K·ρ/(1 − ρ)² + ρ (1 + ρ)/(1 − ρ)³].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flint import acb, acb_series, arb

from .integrals import OutsideError

RELATIVE = arb(2) ** -85
"""What may be left out, beside what is there: two sides of a sum may cancel."""
MOST = 200_000
"""Outcomes that are summed one by one."""


@dataclass(frozen=True)
class Mass:
    """The log probabilities of whole numbers from `low` to `high`, where None is infinite.

    Beyond `settled` the ratio of neighbours, p(k+1)/p(k), is monotone and has a limit. If that is 0, it
    falls no faster than 1/(k+1). A two-sided one, without `low`, is symmetric around 0, or has its mirror
    image in `turned`. With `power` it is p(1)·k^(−power) from 1 on, where the ratio bounds no sum; Arb
    encloses ζ and its derivative instead.
    """

    log: Callable[[int], arb | None]
    low: int | None
    high: int | None
    ratio: Callable[[int], arb] | None = None
    limit: arb | None = None
    settled: int = 1
    power: arb | None = None
    turned: Mass | None = None

    def mirrored(self) -> Mass:
        """That of −Z, of a two-sided one."""
        return self.turned or self

    def bounds(self, k: int) -> tuple[arb, arb]:
        """Upper bounds from k on: of the ratio, and of |log ratio|/k."""
        assert self.ratio is not None
        assert self.limit is not None
        here = self.ratio(k)
        if self.limit.is_zero():
            return here.upper(), abs(here.log()).upper() / k + 1
        largest = here.max(self.limit)
        return largest.upper(), (abs(here.log()).max(abs(self.limit.log())) / k).upper()


def divergence(p: Mass, q: Mass, shift: int = 0) -> arb:
    """KL(p‖q), where q is moved up by a whole number."""
    if p.low is None:
        if q.low is not None:
            raise OutsideError
        return _upwards(p, q, shift, 0) + _upwards(p.mirrored(), q.mirrored(), -shift, 1)
    if p.high is not None:
        return sum((_term(p, q, shift, k) for k in range(p.low, p.high + 1)), arb(0))
    if p.power is not None:
        return _of_powers(p, q, shift)
    return _upwards(p, q, shift, p.low)


def _of_powers(p: Mass, q: Mass, shift: int) -> arb:
    """log p(1)/q(1) and a multiple of E[log k] = −ζ'(a)/ζ(a)."""
    if q.power is None or shift != 0:
        raise OutsideError
    zeta = acb_series([p.power, 1], prec=2).zeta()
    mean = -(zeta[1] / zeta[0]).real
    return p.log(1) - q.log(1) + (q.power - p.power) * mean  # type: ignore[operator]


def mass(p: Mass) -> arb:
    """Σ p, which is 1: a check of the probabilities and of the ratio of neighbours."""
    if p.high is not None:
        return sum(
            (log.exp() for k in range(p.low or 0, p.high + 1) if (log := p.log(k)) is not None), arb(0)
        )
    if p.power is not None:
        first = sum((p.log(k).exp() for k in range(1, 100)), arb(0))  # type: ignore[union-attr]
        return first + p.log(1).exp() * acb(p.power).zeta(100).real  # type: ignore[union-attr]
    if p.low is None:
        return _mass_upwards(p, 0) + _mass_upwards(p.mirrored(), 1)
    return _mass_upwards(p, p.low)


def _mass_upwards(p: Mass, k: int) -> arb:
    total = arb(0)
    while True:
        here = p.log(k).exp()  # type: ignore[union-attr]
        ratio = p.bounds(k)[0] if k >= p.settled else arb(1)
        if ratio < 1 and (rest := (here / (1 - ratio)).upper()) < arb(2) ** -80:
            return total + arb(0).union(rest)
        total, k = total + here, k + 1


def _term(p: Mass, q: Mass, shift: int, k: int) -> arb:
    log_p = p.log(k)
    if log_p is None:
        return arb(0)
    return log_p.exp() * _log_ratio(log_p, q, k - shift)


def _log_ratio(log_p: arb, q: Mass, k: int) -> arb:
    inside = (q.low is None or k >= q.low) and (q.high is None or k <= q.high)
    log_q = q.log(k) if inside else None
    if log_q is None:
        raise OutsideError
    return log_p - log_q


def _upwards(p: Mass, q: Mass, shift: int, start: int) -> arb:
    """The sum from `start` to infinity."""
    total = arb(0)
    for k in range(start, start + MOST):
        if k >= max(p.settled, q.settled + shift, 1, 1 + shift) and k % 8 == 0:
            rest = _rest(p, q, shift, k)
            if rest is not None and (rest <= abs(total).lower() * RELATIVE or rest < arb(2) ** -170):
                return total + rest.union(-rest)
        total += _term(p, q, shift, k)
    raise ArithmeticError("too many outcomes")


def _rest(p: Mass, q: Mass, shift: int, k: int) -> arb | None:
    """The lemma."""
    ratio, step = p.bounds(k)
    if not ratio < 1 or q.high is not None:
        return None
    step += q.bounds(k - shift)[1] * max(1, 1 - shift)
    log_p = p.log(k)
    assert log_p is not None
    here, left = abs(_log_ratio(log_p, q, k - shift)).upper(), 1 - ratio
    rest = here / left + step * (k * ratio / left**2 + ratio * (1 + ratio) / left**3)
    return (log_p.exp() * rest).upper()
