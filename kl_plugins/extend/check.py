"""A ready-made test of a univariate family: quadrature and finite differences judge all that it states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np

from kl_plugins.dispatch import entropy, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend.graphs import judge_graph
from kl_plugins.extend.members import typical_members
from kl_plugins.extend.quadrature import ROUNDING, check_is_number, compare, described, ends_of, expected
from kl_plugins.families.core import statistics
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.discrete import MATHEMATICS, Discrete
from kl_plugins.families.core.statements import UnknownExpectationError, check_density, expectation
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops import numpy as array_ops
from kl_plugins.recognition import recognise

_AFFINE = ((0.0, 1.0), (0.0, 0.7), (0.3, 1.6))
"""The shifts and ratios that expectations are judged at."""


def check_family(family: type, members: Any = None, against: Any = ()) -> None:
    """Judge a continuous or discrete family of one variable by quadrature (sums) and finite differences.

    That its density integrates to 1; its mean, its variance and the expectations of statistics that it
    states, of Z, of multiples of it and of a shifted one; its entropy; that its divergence from itself is
    exactly 0; the divergences of its members from each other, one by one and as a batch; and, where PyTensor
    is installed, its divergence in a graph and the gradient of that. What a family does not state is not
    asked for. A discrete family is judged by its probabilities, its entropy and its divergences: it states
    no mean and no variance.

    Parameters
    ----------
    family : type
        A class under `Continuous` or `Discrete`.
    members : distribution or sequence of them, optional
        Of the family, none of them a batch or special. Where not given, they are made of the typical values
        of its parameters, in their order; three more have values between those, and pairs of them the
        location or the scale in common.
    against : distribution or sequence of them, optional
        Distributions of any library that have one variable, such as ``stats.norm()``: the divergences of the
        members from them, and theirs from the members, are judged too, where they have a closed form.

    Raises
    ------
    AssertionError
        Where something is wrong: with the member, what it is, the value stated and the value found.
    TypeError
        If the family is of another kind, or has parts, for which members have to be given; if its log
        density is no `LogDensity` of statistics; if it fails on arrays or in graphs; or if it is held against
        a distribution of more than one variable.

    Examples
    --------
    >>> from kl_plugins.extend import POSITIVE, Continuous, Identity, LogDensity, check_family, parameter
    >>> class Waiting(Continuous):
    ...     scale: float = parameter(POSITIVE, typical=(0.5, 2.0))
    ...     ends = (0.0, float("inf"))
    ...     def log_density(self):
    ...         return LogDensity(0.0, ((-1.0, Identity()),))
    ...     def standard_mean(self):
    ...         return 2.0
    >>> check_family(Waiting)
    Traceback (most recent call last):
    AssertionError: Waiting(scale=0.5): the mean is 2 as stated, but 1 by quadrature
    """
    if not (isinstance(family, type) and issubclass(family, Continuous | Discrete)):
        raise TypeError(f"check_family judges classes under Continuous or Discrete, not {family!r}")
    _check_hooks(family)
    members = typical_members(family) if members is None else _listed(members)
    others = [recognise(each) for each in _listed(against)]
    for q in others:
        if not isinstance(q, Univariate):
            raise TypeError(f"check_family holds families against distributions of one variable, not {q!r}")
    for member in members:
        _judge_alone(member, [member, *members, *others])
    for p, q in product(members, others):
        if isinstance(p, Discrete) == isinstance(q, Discrete):
            _judge_pair(p, q)
            _judge_pair(q, p)
    table = np.array([[_judge_pair(p, q) for q in members] for p in members])
    if len(members) > 1 and not any(stated.core_ndim for stated in family.parameters.values()):
        known = _known_together(members, table)
        if not family.parts and len(known) > 1:
            _judge_batch([members[i] for i in known], table[np.ix_(known, known)])
        if find_spec("pytensor"):
            pairs = [(i, j) for i, j in np.ndindex(table.shape) if i != j and _is_finite(table[i, j])]
            i, j = pairs[0] if pairs else (0, 1)
            judge_graph(members[i], members[j])


def _listed(given: Any) -> list[Any]:
    """What was given as a list, though it be a single distribution."""
    return list(given) if isinstance(given, Sequence) else [given]


def _is_finite(stated: Any) -> bool:
    return stated is not None and math.isfinite(stated)


def _known_together(members: Sequence[Any], table: Any) -> list[int]:
    """Those of whom all divergences have a closed form: all, or the most of one location."""
    if table.dtype != object:
        return list(range(len(members)))
    groups = [[i for i, other in enumerate(members) if other.loc == each.loc] for each in members]
    known = [group for group in groups if all(table[pair] is not None for pair in product(group, group))]
    return max(known, key=len, default=[])


def _check_hooks(family: type) -> None:
    """TypeError where there is no density, or a discrete family states what only continuous ones may."""
    if issubclass(family, Discrete):
        for name in sorted(set(vars(Continuous)) & set(dir(family)) - set(dir(Discrete))):
            raise TypeError(f"{family.__name__}.{name}: a discrete family is not asked for it")
    elif family.log_density is Continuous.log_density and family.log_prob is Continuous.log_prob:  # type: ignore[attr-defined]
        raise TypeError(f"{family.__name__} states no log_density: the log density of Z, a LogDensity")


def _check_statement(p: Continuous) -> None:
    """TypeError where what a member states as its log density is none, or has terms that are none."""
    try:
        stated: object = p.log_density()
    except NotImplementedError:
        return  # it has a log_prob of its own
    check_density(stated, f"{type(p).__name__}.log_density")


def _judge_alone(p: Any, others: Sequence[Any]) -> None:
    """What is stated of a member; the expectations of statistics in the log densities of others, too."""
    where, log_prob = described(p), p.to_arrays().log_prob
    if isinstance(p, Continuous):
        _check_statement(p)
    check_is_number(p)
    if not math.isclose(total := expected(p, np.ones_like), 1.0, rel_tol=ROUNDING):
        does = "probabilities sum" if isinstance(p, Discrete) else "density integrates"
        raise AssertionError(f"{where}: the {does} to {total:.9g}, not to 1")
    if isinstance(p, Continuous):
        origin = _unmoved(p)
        for what, statistic, at in _statements(p, others):
            try:
                stated = expectation(p, statistic, at)
            except UnknownExpectationError:
                continue
            kinks = [origin.loc + p.sign * p.scale * (z - at.shift) / at.ratio for z in (0.0, 1.0)]
            exact = expected(origin, _of_standard(origin, statistic, at), kinks)
            if exact < math.inf or not isinstance(statistic, statistics.Identity):
                compare(where, what, stated, exact)  # for a mean that does not exist a centre may stand
    try:
        stated = entropy(p)
    except NoClosedFormError:
        return
    compare(where, "the entropy", stated, expected(p, lambda x: -log_prob(x)))


def _unmoved(p: Continuous) -> Continuous:
    """The same with location 0, beside which no digits of a small Z are lost."""
    state = p.__getstate__()
    return p.unchecked(p.ops, **{**state, "loc": 0.0}) if "loc" in state else p


def _statements(p: Continuous, others: Sequence[Any]) -> list[tuple[str, statistics.Statistic, AffineMap]]:
    """What may be stated of a member: a description, a statistic and where it is asked for."""
    own, mean = AffineMap(p.ops, 0.0, 1.0, 0.0), p.standard_mean()
    found: list[tuple[str, statistics.Statistic, AffineMap]] = [("the mean", statistics.Identity(), own)]
    if mean is not None:
        found.append(("the variance", statistics.Square(), AffineMap(p.ops, -1.0 * mean, 1.0)))
    for statistic, (shift, ratio) in product(_judged(p, others), _AFFINE):
        what = f"E[{statistic.text}] at z = {shift} + {ratio}·Z"
        found.append((what, statistic, AffineMap(p.ops, shift, ratio, 1.0 - shift - ratio)))
    return found


def _judged(p: Continuous, others: Sequence[Any]) -> list[statistics.Statistic]:
    """All statistics without parameters, some powers and exponentials, and those of the log densities."""
    found: list[statistics.Statistic] = [kind() for kind in _kinds(statistics.Statistic) if _is_plain(kind)]
    found += [statistics.Power(1.5), statistics.Power(-0.3), statistics.Exp(0.4), statistics.Exp(-0.6)]
    for other in others:
        with suppress(UnknownExpectationError):
            terms = other.log_density().terms if isinstance(other, Continuous) else ()
            for _, statistic in terms:
                if not any(statistic.is_same(each, p.ops) for each in found):
                    found.append(statistic)
    return found


def _kinds(base: Any) -> Iterator[Any]:
    """The classes under one, at any depth."""
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _is_plain(kind: Any) -> bool:
    """Whether it is the class of a statistic without parameters."""
    return kind.__init__ is object.__init__ and bool(kind.text)


def _of_standard(p: Continuous, statistic: Any, at: AffineMap) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        z = p.sign * (x - p.loc) / p.scale
        return statistic(at.shift + at.ratio * z, array_ops)

    return function


def _judge_pair(p: Any, q: Any) -> Any:
    """The divergence of two members, None where no closed form is stated."""
    where = f"KL({described(p)} ‖ {described(q)})"
    try:
        stated = kl(p, q)
    except NoClosedFormError:
        return None
    if p is q:
        if stated != 0.0:
            raise AssertionError(f"{where}: the divergence from itself is {stated}, not 0.0")
        return stated
    log_p, log_q = p.to_arrays().log_prob, q.to_arrays().log_prob
    (p_low, p_high), (q_low, q_high) = ends_of(p), ends_of(q)
    within = q_low <= p_low and p_high <= q_high
    exact = expected(p, lambda x: log_p(x) - log_q(x), [q.loc]) if within else math.inf
    compare(where, "the divergence", stated, exact)
    return stated


def _judge_batch(members: Sequence[Any], table: Any) -> None:
    """All divergences at once, of arrays of parameters."""
    family = type(members[0])
    names = family.parameters
    columns = {name: np.array([getattr(member, name) for member in members]) for name in names}
    varied = {name: x if np.ptp(x) else float(x[0]) for name, x in columns.items()}
    p = family(**{name: x if isinstance(x, float) else x[:, None] for name, x in varied.items()})
    try:
        found = np.broadcast_to(kl(p, family(**varied)), table.shape)
    except NoClosedFormError:
        return
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{family.__name__} fails on arrays of parameters ({error}): {MATHEMATICS}"
        ) from error
    for (i, j), stated in np.ndenumerate(found):
        if not np.isclose(stated, table[i, j], rtol=ROUNDING, atol=1e-12):
            pair = f"KL({described(members[i])} ‖ {described(members[j])})"
            raise AssertionError(
                f"{pair}: the divergence is {stated:.9g} in a batch, but {table[i, j]:.9g} alone"
            )
