"""What an estimate needs to know of a distribution, and the open function that finds it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kl_plugins.estimate.unknown import Unknown
from kl_plugins.mistakes import mistaken
from kl_plugins.open_functions import OpenFunction
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.parameters.labels import Labels

Sampler = Callable[[int, np.random.Generator], FloatArray]
_MEASURES = ("continuous", "discrete", "mixed")
"""Those that methods of estimation are for; a slip in one would be a measure of its own."""


def on_subspace(rank: int) -> str:
    """The measure of a density that is one of volume on a subspace of so many dimensions."""
    return f"continuous on a subspace of {rank} dimensions"


@dataclass(frozen=True)
class Density:
    """A distribution, or a batch of them, as far as estimates need to know it.

    Parameters
    ----------
    name : str
        What messages call it.
    measure : str
        What the density is a density of: ``"continuous"`` (of volume), ``"discrete"`` (of counting), or any
        other name. A ``"mixed"`` one has atoms and volume. Two different measures have nothing in common.
        What is nearly one of the three words is a ValueError.
    log_density : callable
        Of points of shape ``(n, *batch_shape, *event_shape)``; returns shape
        ``(n, *batch_shape)``.
    sample : callable or None
        Of a number and a `numpy.random.Generator`; returns points.
    quantile : callable or None
        Of probabilities of shape (n,); returns shape ``(n, *batch_shape)``. It may be rough: it shows
        where to look.
    support : pair of arrays, or None
        The ends of the support, which broadcast to ``batch_shape``. None: wherever the density is not zero.
    points : array or None
        All points of a discrete distribution on finitely many, where they are not consecutive integers.
    breaks : array or None
        The ends of the bins of a density that is constant on each, ascending.
    labels : Labels or None
        Those of the parameters, xarray's or pandas', which have to agree between the sides.
    logarithmic : bool
        Whether the log density is computed as such, so that −∞ never is an underflow. If not known, False.
    familiar : bool
        Whether its class is known to have a density without steps inside. Else it is looked at more closely.
    batch_shape, event_shape : tuple of int
        As in PyTorch.
    unknown : mapping
        Of the parameters that are NaN, by name: where they are, as an array of bool that broadcasts to
        ``batch_shape``. The estimates there are NaN, and a warning says why.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> from kl_plugins import estimate_kl
    >>> from kl_plugins.extend import Density, density_of
    >>> class Ramp:
    ...     "The density 2x on (0, 1)."
    >>> @density_of.register(Ramp)
    ... def _(ramp):
    ...     return Density("Ramp", "continuous", lambda x: np.log(2.0 * x), support=(0.0, 1.0))
    >>> round(estimate_kl(Ramp(), stats.uniform()).value, 6)  # ln 2 − 1/2
    0.193147
    """

    name: str
    measure: str
    log_density: Callable[[FloatArray], FloatArray]
    sample: Sampler | None = None
    quantile: Callable[[FloatArray], FloatArray] | None = None
    support: tuple[Any, Any] | None = None
    points: FloatArray | None = None
    breaks: FloatArray | None = None
    logarithmic: bool = False
    familiar: bool = True
    batch_shape: tuple[int, ...] = ()
    event_shape: tuple[int, ...] = ()
    labels: Labels | None = None
    unknown: Unknown = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.measure in _MEASURES:
            return
        from difflib import get_close_matches  # seldom needed

        near = get_close_matches(self.measure, _MEASURES, 1)
        for meant in near or [word for word in _MEASURES if word.startswith(self.measure)]:
            raise ValueError(f"measure {self.measure!r} of {self.name}: did you mean {meant!r}?")

    def member(self, index: tuple[int, ...]) -> Density:
        """One distribution of the batch, by an index into a batch that this one broadcasts to."""
        batch = self.batch_shape
        if not batch:
            return self
        index = tuple(min(i, length - 1) for i, length in zip(index[-len(batch) :], batch, strict=True))
        place: Any = (slice(None), *index)
        log_density, sample, quantile = self.log_density, self.sample, self.quantile

        def own_log_density(x: FloatArray) -> FloatArray:
            shape = (len(x), *(1,) * len(batch), *x.shape[1:])
            full = np.broadcast_to(x.reshape(shape), (len(x), *batch, *x.shape[1:]))
            return np.asarray(log_density(full)[place])

        ends = None
        if self.support is not None:
            low, high = (np.broadcast_to(end, batch)[index] for end in self.support)
            ends = low, high
        return replace(
            self,
            log_density=own_log_density,
            sample=None if sample is None else lambda count, rng: sample(count, rng)[place],
            quantile=None if quantile is None else lambda u: quantile(u)[place],
            support=ends,
            batch_shape=(),
        )


@OpenFunction
def density_of(obj: object) -> Density:
    """What estimates need to know of an object; TypeError where it does not tell.

    Registered for a class, a function makes estimates of its divergences possible. An object of a class that
    nothing is registered for serves with the methods ``logpdf`` (or ``logpmf``, or ``log_prob``) and ``rvs``
    (or ``sample``), each over points along the first axis; ``ppf`` and ``support`` are used where they are.

    Parameters
    ----------
    obj : object
        A distribution object of any library.

    Returns
    -------
    Density

    Raises
    ------
    TypeError
        If the object has no density.
    ValueError
        If its parameters are not numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from kl_plugins import estimate_kl
    >>> class Triangle:
    ...     def logpdf(self, x):
    ...         with np.errstate(divide="ignore", invalid="ignore"):
    ...             return np.where((x > 0) & (x < 1), np.log(2 * x), -np.inf)
    ...     def rvs(self, size, random_state):
    ...         return np.sqrt(random_state.random(size))
    ...     def support(self):
    ...         return 0.0, 1.0
    >>> from scipy import stats
    >>> round(estimate_kl(Triangle(), stats.uniform()).value, 6)  # ln 2 − 1/2
    0.193147
    """
    name = type(obj).__qualname__
    methods = _methods(obj)
    told = mistaken(obj)
    if told is not None or not methods:
        raise TypeError(
            told
            or f"{name} has no density: estimate_kl needs a method logpdf, logpmf or log_prob, or a function "
            "for its class registered with kl_plugins.extend.density_of"
        )
    found = getattr(obj, methods[0])
    sample = _sampler(obj)
    ends = _ends(obj)
    return Density(
        name=name,
        measure="discrete" if methods[0] == "logpmf" else "continuous",
        log_density=lambda x: np.asarray(found(x), np.float64),
        sample=sample,
        quantile=getattr(obj, "ppf", None) if ends is not None else None,
        support=ends,
        familiar=False,
        event_shape=_event_shape(obj, sample if ends is None else None),
    )


def _ends(obj: object) -> tuple[Any, Any] | None:
    """What the method ``support`` returns; an attribute that can be called may be something else."""
    from inspect import ismethod

    support = getattr(obj, "support", None)
    return support() if ismethod(support) else None


def _methods(obj: object) -> list[str]:
    """Those of the methods that give a log density that the object has."""
    return [name for name in ("logpdf", "logpmf", "log_prob") if callable(getattr(obj, name, None))]


def has_density(obj: object) -> bool:
    """Whether estimates can ask the object, or a function registered for its class, for a density."""
    return density_of.knows(type(obj)) or bool(_methods(obj))


def _sampler(obj: object) -> Sampler | None:
    """The method that draws, called as it wants to be: with a generator where it takes one."""
    for method in ("rvs", "sample"):
        if callable(draw := getattr(obj, method, None)):
            from inspect import signature

            taken = signature(draw).parameters
            keyword = next((word for word in ("random_state", "rng", "seed") if word in taken), None)
            if keyword is None:
                return lambda count, rng: np.asarray(draw(count))
            return lambda count, rng: np.asarray(draw(count, **{keyword: rng}))
    return None


def how_to_say(*sides: Density) -> str:
    """How event shapes become known, if that of one of these may not be: ends a message."""
    if all(side.familiar or side.event_shape for side in sides):
        return ""
    return (
        " (an attribute event_shape, such as (2,), says that its draws are vectors, or a method rvs shows it)"
    )


def _event_shape(obj: object, sample: Sampler | None) -> tuple[int, ...]:
    """What the object says itself, or what its draws show; that of a number where neither is there."""
    stated = getattr(obj, "event_shape", None)
    if isinstance(stated, tuple):
        return tuple(map(int, stated))
    return () if sample is None else event_shape_of(sample)


def event_shape_of(sample: Sampler) -> tuple[int, ...]:
    """The shape of one draw."""
    return np.shape(sample(2, np.random.default_rng(0)))[1:]
