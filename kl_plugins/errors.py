"""The exceptions and warnings of the library that callers may want to catch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Requirement(str):
    """What a parameter must be, as the text of an error that knows which parameter it is about.

    Whoever knows the parameter by another name, such as a plugin, can say it with that one.
    """

    __slots__ = ("demand", "meaning", "parameter", "values")

    parameter: str
    demand: str
    meaning: str
    values: Any
    """What the parameter is, to say which of its numbers it is about; None where that is not known."""

    def __new__(cls, parameter: str, demand: str, meaning: str = "", values: Any = None) -> Requirement:
        called = f"{parameter} ({meaning})" if meaning else parameter
        made = super().__new__(cls, f"{called} {demand}")
        made.parameter, made.demand, made.meaning, made.values = parameter, demand, meaning, values
        return made

    def at(self, index: tuple[int, ...], shape: tuple[int, ...]) -> Requirement:
        """The same with the number at one place among several, where the numbers are known."""
        if getattr(self.values, "shape", None) != shape:
            return self
        place = str(index[0] if len(index) == 1 else index)
        demand = f"{self.demand}, got {self.values[index]:g} at index {place}"
        return Requirement(self.parameter, demand, self.meaning)

    def renamed(self, name: str, meaning: str = "") -> Requirement:
        """The same, with the parameter by another name and its first name as the meaning, if it has none."""
        letter = self.parameter in ("a", "alpha", "b", "beta", "sigma")  # which explains nothing
        known = "" if self.meaning.isidentifier() else self.meaning  # another name
        return Requirement(name, self.demand, meaning or known or ("" if letter else f"the {self.parameter}"))

    def __reduce__(self) -> tuple[type[Requirement], tuple[str, str, str]]:
        return Requirement, (self.parameter, self.demand, self.meaning)


class Uncommon(str):
    """That a pair has a closed form where both sides share parameters: which, by the names of our family."""

    __slots__ = ("names",)

    names: tuple[str, ...]

    def __new__(cls, *names: str) -> Uncommon:
        made = super().__new__(cls, f"there is one for a common {in_a_row(names)}")
        made.names = names
        return made


class Apart(str):
    """What is needed of a pair because its places differ, with these words first.

    Whoever knows what the caller gave can say in what the sides differ: the locations of our families may be
    made of a scale and a shape.
    """

    __slots__ = ("hint", "needed", "of_locations")

    needed: str
    of_locations: bool
    hint: str

    def __new__(cls, needed: str, of_locations: bool = True, hint: str = "") -> Apart:
        where = f"their locations differ{hint}" if of_locations else "their supports end at different places"
        made = super().__new__(cls, f"{where}, so that {needed}")
        made.needed, made.of_locations, made.hint = needed, of_locations, hint
        return made


def in_a_row(names: Sequence[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


class NoClosedFormError(NotImplementedError):
    """No closed form of the Kullback-Leibler divergence is known for a pair of families.

    The message names both families and how to register a closed form for them; `kl_plugins.estimate_kl`
    estimates the divergence without one.

    Attributes
    ----------
    why : str or None
        What is in the way of a pair whose sides are understood, each by itself.
    of_one : bool
        Whether one side is in the way of every pair, and the message does not say yet what to do instead.
    remedy : str or None
        What to do instead where one side is in the way, and estimates are no way either.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import NoClosedFormError, estimate_kl, kl
    >>> p, q = stats.laplace(), stats.cauchy()
    >>> try:
    ...     value = kl(p, q)
    ... except NoClosedFormError:
    ...     value = estimate_kl(p, q).value
    >>> round(value, 6)
    0.138339
    """

    why: str | None = None
    of_one = False
    remedy: str | None = None


ESTIMATES_NEED_NUMBERS = (
    "with symbolic parameters it cannot be estimated. In a graph pm.logp(p, w) - pm.logp(q, w) at draws w of "
    "p (mu + sigma * noise, with gradients by mu and sigma) has it as its mean, as do the terms of "
    "kl_plugins.variational.kl_terms(..., no_closed_form='draw')"
)


def no_closed_form_of_pair(
    p: str, q: str, why: str = "", symbolic: bool = False, estimable: bool = True
) -> NoClosedFormError:
    """The error for a pair whose sides are called so.

    `symbolic` is whether estimates lack numbers, `estimable` whether there may be one otherwise.
    """
    remedies = ["kl_plugins.register_kl registers a closed form"]
    if symbolic:
        remedies.insert(0, ESTIMATES_NEED_NUMBERS)
    elif estimable:
        remedies.insert(0, "kl_plugins.estimate_kl estimates it with its error")
    error = NoClosedFormError(
        f"no closed form of KL(p‖q) is known for p: {p} and q: {q}{': ' if why else ''}{why}; "
        f"{', '.join(remedies)}"
    )
    error.why = why
    return error


def no_closed_form_of_one(what: str, remedy: str | None = None) -> NoClosedFormError:
    """The error for one side; where the pair is known, its message gets what to do instead.

    `remedy` says it where there are no estimates either.
    """
    error = NoClosedFormError(f"no closed form is known for {what}")
    error.of_one = True
    error.remedy = remedy
    return error


def advised(error: NoClosedFormError, symbolic: bool) -> NoClosedFormError:
    """The error of one side, with what to do instead; `symbolic` is whether estimates lack numbers."""
    remedy = "kl_plugins.estimate_kl estimates the divergence with its error"
    if symbolic:
        remedy = f"{ESTIMATES_NEED_NUMBERS}; or write it as an expression of your own"
    return NoClosedFormError(f"{error}; {error.remedy or remedy}")


class HasNames(TypeError):  # noqa: N818
    """A distribution has parameters with named dimensions, where only arrays by position will do.

    It is no error where a function computes by name instead.
    """

    def __init__(self, what: str = "") -> None:
        super().__init__(
            what
            or "parameters have named dimensions here, which only kl, jeffreys, entropy, cross_entropy, "
            "explain, estimate_kl, independent and pairwise_kl of a batch go by: pass their .values to go by "
            "position"
        )


class NotRecognisedError(TypeError):
    """No plugin understands objects of this class."""


class EstimateWarning(UserWarning):
    """An estimate of a divergence is not to be relied on; the message says why.

    Examples
    --------
    >>> import warnings
    >>> from scipy import stats
    >>> from kl_plugins import EstimateWarning, estimate_kl
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", EstimateWarning)
    ...     try:
    ...         found = estimate_kl(stats.norm(), stats.cauchy(), method="monte carlo", draws=10)
    ...     except EstimateWarning:
    ...         found = estimate_kl(stats.norm(), stats.cauchy())
    >>> found.converged
    True
    """


class NoClosedFormWarning(UserWarning):
    """A table of divergences holds NaN where no closed form is known; the message counts these pairs.

    Examples
    --------
    >>> import warnings
    >>> from scipy import stats
    >>> from kl_plugins import NoClosedFormWarning, pairwise_kl
    >>> ps = {"Laplace": stats.laplace(), "Cauchy": stats.cauchy()}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", NoClosedFormWarning)
    ...     table = pairwise_kl(ps)
    >>> table.isnull().values
    array([[False,  True],
           [False, False]])
    """
