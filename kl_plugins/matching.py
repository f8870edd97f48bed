"""The rule for a pair of objects: one registered for their own classes, else one for their families."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kl_plugins.errors import HasNames, NoClosedFormError, NotRecognisedError, advised, no_closed_form_of_pair
from kl_plugins.estimate.density import has_density
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.labelled import labelled_of
from kl_plugins.mistakes import check_class
from kl_plugins.open_functions import remembered
from kl_plugins.ops import backend_of
from kl_plugins.recognition import (
    as_written,
    composed,
    is_symbolic,
    load_plugins_of,
    obstacle_as_written,
    recognise,
    representative,
    shared_classes,
)
from kl_plugins.recognition import told_of as told_of  # also for those above
from kl_plugins.rules import Formula, Rule

_foreign: set[type] = set()
"""Classes, not families of ours, that a rule was registered for."""


def register_kl(p_type: type, q_type: type, *, cost: str = "not stated") -> Callable[[Formula], Formula]:
    """Register the decorated function as the closed form of KL(p‖q) for a pair of classes.

    Parameters
    ----------
    p_type, q_type : type
        Any two classes: our families, or anybody's own. The function receives the objects of the
        classes it was registered for: a foreign object as it is, ours as it was recognised. All frozen
        distributions of SciPy have one class; name one by that of its generator, ``type(stats.t)``.
        A pair that is registered already, by anybody, gets the new function.
    cost : str, optional
        What `explain` says of the cost, for example ``"O(d)"``.

    Returns
    -------
    decorator
        Returns the function unchanged. What that returns is the result of `kl` as it is, unchecked.

    Raises
    ------
    TypeError
        If `p_type` or `q_type` is not a class, or is one that many distributions share.

    Examples
    --------
    >>> from kl_plugins import kl, register_kl
    >>> class Coin:
    ...     def __init__(self, heads):
    ...         self.heads = heads
    >>> @register_kl(Coin, Coin, cost="O(1)")
    ... def coin_coin(p, q):
    ...     return 0.0 if p.heads == q.heads else float("inf")
    >>> kl(Coin(1.0), Coin(1.0))
    0.0
    """
    for kind, argument in ((p_type, "p_type"), (q_type, "q_type")):
        check_class(kind, f"register_kl: {argument}")
        load_plugins_of(kind)
        if kind in shared_classes:
            raise TypeError(f"{kind.__name__} is the class of many distributions: {shared_classes[kind]}")
    _foreign.update(kind for kind in (p_type, q_type) if not issubclass(kind, Distribution))
    return kl_rules.register(p_type, q_type, cost=cost)


def match(p: object, q: object) -> tuple[Rule, Any, Any]:
    """The rule for the pair, and the pair as the rule wants it; HasNames where that is no pair of arrays."""
    ours_p, ours_q = remembered(p), remembered(q)
    if ours_p is None or ours_q is None or _foreign:
        if (found := own_rule(p, q)) is not None:
            if any(labelled_of(side) for side in (p, q)):
                raise HasNames
            return found
        try:
            ours_p, ours_q = (_recognised_in_pair(side, p, q) for side in "pq")
        except NoClosedFormError:
            if (bases := _bases(p, q)) is None:
                raise
            ours_p, ours_q = bases
    if not (ours_p.ops.scalar and ours_q.ops.scalar):  # numbers have no shapes
        ours_p.check_against(ours_q)
    rule = kl_rules.find(ours_p, ours_q)
    if rule is None:
        raise no_closed_form(p, q)
    if ours_p.ops is not ours_q.ops:
        values = [*ours_p.values(), *ours_q.values()]
        ops = backend_of(*values)
        if not ops.symbolic:  # a graph may be made of plain numbers alone
            ops = next((side.ops for side in (ours_p, ours_q) if side.ops.symbolic), ops)
        ours_p, ours_q = ours_p.to(ops, values), ours_q.to(ops, values)
    return rule, ours_p, ours_q


def _bases(p: object, q: object) -> tuple[Distribution, Distribution] | None:
    """Where both sides are functions that end with the same maps: the two before these, if they are ours."""
    from kl_plugins.families.core.maps import without_common_maps  # seldom needed

    of_p, of_q = composed(p), composed(q)
    if of_p is None or of_q is None:
        return None
    try:
        return without_common_maps(of_p, of_q)
    except (NoClosedFormError, TypeError, ValueError):
        return None


def no_closed_form(p: object, q: object, why: str = "") -> NoClosedFormError:
    """The error for a pair, with the sides called as the caller wrote them."""
    from kl_plugins.estimate import mixtures  # noqa: F401  (registers them)
    from kl_plugins.estimate.families import may_be_estimated  # and with it many families

    symbolic = is_symbolic(p) or is_symbolic(q)
    why = obstacle_as_written(why, p, q)
    return no_closed_form_of_pair(as_written(p), as_written(q), why, symbolic, may_be_estimated(p, q))


def in_words_of_caller(error: NoClosedFormError, p: object, q: object) -> NoClosedFormError:
    """The same error, with the sides called as the caller wrote them."""
    why = str(error) if error.why is None else error.why  # a stranger's says only that
    return no_closed_form(p, q, why)


@contextmanager
def pair_as_written(p: object, q: object) -> Iterator[None]:
    """What finds no closed form of the pair in another form says so of the sides as they were written."""
    try:
        yield
    except NoClosedFormError as error:
        if error.why is None:  # it is about one side, or a stranger's
            raise
        raise in_words_of_caller(error, p, q) from None


def recognised(obj: object, side: str, other: object = None) -> Distribution:
    """One of our distributions for the object; errors say which side it is, and heed the other side."""
    if isinstance(obj, Distribution):
        return obj
    known: Distribution | None = remembered(obj)
    if known is not None:
        return known
    try:
        made = recognise.dispatch(type(obj))(obj)
        if not isinstance(made, Distribution):
            raise TypeError(
                f"{type(obj).__qualname__} was recognised as {type(made).__qualname__}, which is not one of "
                "the families of kl_plugins (return kl_plugins.extend.Normal(...), for example)"
            )
        return made
    except NotRecognisedError as error:
        raise TypeError(f"{side}: {error}. {_of_estimates(obj)}") from error
    except (TypeError, ValueError, NoClosedFormError) as error:
        whole: Exception = error
        if isinstance(error, NoClosedFormError) and error.of_one:
            whole = advised(error, is_symbolic(obj) or is_symbolic(other))
        told = told_of(whole, side)
        if told is error:
            raise
        raise told from error


def _of_estimates(obj: object) -> str:
    """Whether estimates would take an object that has no closed form."""
    if has_density(obj):
        return "kl_plugins.estimate_kl estimates divergences with their error, as it has a density"
    return "With methods logpdf and rvs, kl_plugins.estimate_kl would take it"


def name_of(obj: object) -> str:
    """What to call an object of a pair."""
    if isinstance(obj, Distribution):
        return obj.describe()
    stand_in = representative(obj)
    return str(getattr(stand_in, "name", None) or type(stand_in).__qualname__)


def _recognised_in_pair(side: str, p: object, q: object) -> Distribution:
    """As `recognised`; where the side has closed forms, but none with the other side, the error says so."""
    obj = p if side == "p" else q
    try:
        return recognised(obj, side, q if side == "p" else p)
    except (TypeError, NoClosedFormError) as error:
        if not any(isinstance(representative(obj), kind) for kind in _foreign):
            raise
        raise NoClosedFormError(
            f"{side}: closed forms are registered for {name_of(obj)}, but none for the pair "
            f"p: {name_of(p)} and q: {name_of(q)}; register it with "
            "kl_plugins.register_kl, or estimate it with kl_plugins.estimate_kl"
        ) from error


def own_rule(p: object, q: object) -> tuple[Rule, Any, Any] | None:
    """A rule registered for the objects' own classes, or for that of one and the family of the other."""
    load_plugins_of(type(p))  # what it registers may be this very pair
    load_plugins_of(type(q))
    if not _foreign:
        return None
    raw = representative(p), representative(q)
    if not all(isinstance(side, Distribution) for side in raw):
        rule = kl_rules.find(*raw)
        if rule is not None:
            return rule, p, q
    for keep_p in (True, False):
        if isinstance(raw[0 if keep_p else 1], Distribution):
            continue  # a pair of families: the full match brings both to one backend
        try:
            family = recognise(q if keep_p else p)
        except (TypeError, ValueError, NoClosedFormError):
            continue  # not a (valid) distribution of ours; the full match will say so
        rule = kl_rules.find(raw[0], family) if keep_p else kl_rules.find(family, raw[1])
        if rule is not None and family is not (q if keep_p else p):
            return (rule, p, family) if keep_p else (rule, family, q)
    return None
