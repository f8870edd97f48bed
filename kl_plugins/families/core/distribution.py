"""What every family of distributions has in common, and the table of closed forms for pairs of them."""

from __future__ import annotations

from typing import Generic, Self, cast

from kl_plugins.errors import NoClosedFormError
from kl_plugins.ops.protocol import Array, SymbolicOperations
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.labels import joined
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.parameters.shapes import Shape, broadcast_shapes, in_words
from kl_plugins.parameters.values import Value
from kl_plugins.rules import RuleTable

kl_rules = RuleTable("kl", "kl_plugins.families")
"""Closed forms of KL(p‖q) for pairs of types: our families, and whatever users register."""


class Distribution(Parametrised, Generic[Value]):
    """An immutable distribution (or a batch of them) that formulas understand.

    Foreign objects are turned into one of these when they are recognised.

    Type checkers know it by what its entropy is: a ``numpy.float64``, an array or a variable of a graph, or
    any of these where nothing is said.

    Attributes
    ----------
    batch_shape, event_shape : tuple of (int or None)
        As in PyTorch; a length that a graph does not know yet is None.
    ops : ArrayOperations
        The operations of the backend that the parameters are in.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins.extend import Distribution, recognise
    >>> found = recognise(stats.norm([0.0, 1.0], 2.0))
    >>> isinstance(found, Distribution), found.describe(), found.batch_shape, found.event_shape
    (True, 'Normal', (2,), ())
    """

    def expand(self, batch: tuple[Array, ...]) -> Self:
        """The same distributions, broadcast to a batch shape."""
        state, ops = self.__getstate__(), self.ops

        def decides(name: str) -> tuple[bool, bool]:
            """How much of what is known in closed form depends on that the parameter is one number."""
            return is_literal(state[name]), name in ("loc", "mean", "power", "sign")

        name = min(self.parameters, key=decides)
        value = ops.asarray(state[name], name)
        shape = ops.runtime_shape(value)
        core = shape[len(shape) - self.parameters[name].core_ndim :]
        return self.unchecked(ops, **(state | {name: ops.broadcast_to(value, (*batch, *core))}))

    @property
    def event_shape(self) -> Shape:
        raise NotImplementedError

    def check_shapes(self) -> None:
        try:
            _ = self.batch_shape
        except ValueError:
            known = [(name, self.ops.shape(getattr(self, name))) for name in self.parameters]
            shapes = [f"{name} {shape}" for name, shape in known if shape]
            raise ValueError(f"shapes of {' and '.join(shapes)} do not broadcast") from None

    def check_against(self, other: Distribution) -> None:
        """Raise ValueError where `other`, the q of a pair, has another event shape or a batch shape
        that does not broadcast, as far as shapes are known, or where labels contradict each other."""
        joined(self.labels, other.labels, ("p", "q"))
        events = self.event_shape, other.event_shape
        batches = self.batch_shape, other.batch_shape
        if events[0] == events[1] and batches[0] == batches[1]:
            return
        clash = any(a != b for a, b in zip(*events, strict=False) if None not in (a, b))
        if len(events[0]) != len(events[1]) or clash:
            shorter = 0 if len(events[0]) < len(events[1]) else 1
            helps = len(events[0]) != len(events[1]) and batches[shorter]
            words = " against ".join(map(in_words, events))
            hint = "; kl_plugins.independent turns batch dimensions into event dimensions" if helps else ""
            raise ValueError(
                f"p and q have different event shapes, {words}: p is {self.describe()} with event shape "
                f"{events[0]}, q is {other.describe()} with event shape {events[1]}"
                f"{hint}"
            )
        try:
            broadcast_shapes(*batches)
        except ValueError:
            lists = len(batches[0]) == len(batches[1]) == 1 and not (self.ops.symbolic or other.ops.symbolic)
            hint = "; for every one of p with every one of q, kl_plugins.pairwise_kl(p, q)" if lists else ""
            raise ValueError(
                f"batch shape {batches[0]} of p does not broadcast against batch shape {batches[1]} of q"
                f"{hint}"
            ) from None

    def runtime_event_shape(self) -> tuple[Array, ...]:
        """The event shape as a graph knows it when it runs."""
        return self.event_shape

    def checked_against(self, other: Distribution) -> Self:
        """The same, which raises when a graph runs where its event shape is not that of `other` after all.

        What the two share is left as it is: it is certainly the same.
        """
        static = zip(self.event_shape, other.event_shape, strict=True)
        lengths = [*zip(self.runtime_event_shape(), other.runtime_event_shape(), strict=True)]
        if any(None in pair for pair in lengths) or all(None not in known for known in static):
            return self
        ops = cast(SymbolicOperations, self.ops)
        own, others = zip(*lengths, strict=True)
        families = self.describe(), other.describe()
        shared = {id(value) for value in other.values()}

        def check(value: Array) -> Array:
            return value if id(value) in shared else ops.of_same_lengths(value, own, others, families)

        return self.mapped(check)

    def describe(self) -> str:
        """Name of the family, with its structure where it has one."""
        return type(self).__name__

    def entropy(self) -> Value:
        """Differential entropy in nats (Shannon entropy of a discrete family)."""
        raise NoClosedFormError(f"no closed form of the entropy of {self.describe()} is known")
