"""A table of rules over pairs of types: plum's two-argument dispatch, plus what each rule costs."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple, TypeVar

import plum

from kl_plugins.mistakes import check_class

Function = TypeVar("Function", bound=Callable[..., Any])
Formula = TypeVar("Formula", bound=Callable[[Any, Any], Any])
"""A function of a pair."""


class Rule(NamedTuple):
    """A function of a pair ``(p, q)`` and its cost as text.

    ``cost`` may be a function of the pair: one that returns the text, or one that returns
    ``(rule, p, q)`` where the work is that of another rule on a part of the pair.
    """

    function: Callable[..., Any]
    cost: str | Callable[[Any, Any], Any]

    def __call__(self, p: object, q: object) -> Any:
        return self.function(p, q)

    def explain(self, p: object, q: object) -> tuple[tuple[str, ...], str]:
        """Return the names of the functions that do the work, outermost first, and the cost."""
        name = getattr(self.function, "__name__", repr(self.function))
        cost = self.cost if isinstance(self.cost, str) else self.cost(p, q)
        if isinstance(cost, str):
            return (name,), cost
        inner, inner_p, inner_q = cost
        names, text = inner.explain(inner_p, inner_q)
        return (name, *names), text


@cache
def load_all(folder: str) -> None:
    """Import every file of a package, each of which registers what lives there."""
    package = import_module(folder)
    for module in iter_modules(package.__path__):
        import_module(f"{folder}.{module.name}")


class RuleTable:
    """Rules for pairs of types; the most specific one applies, an ambiguity is an error.

    plum resolves on the types of the two objects. What it resolves to is the `Rule` itself rather than
    the rule's result, so that the rule can be explained as well as called; it is kept for the pair of
    types until another rule is registered. The library's own rules live in the files of the package
    `folder`, which are loaded when a rule is first looked for.
    """

    def __init__(self, name: str, folder: str, doc: str | None = None) -> None:
        self.__doc__ = doc or type(self).__doc__
        self._name, self._folder = name, folder

        def no_rule(p: object, q: object) -> Any:
            return None

        no_rule.__name__ = name
        self._found: dict[tuple[type, type], Rule | None] = {}
        self._find = plum.Function(no_rule, warn_redefinition=False)
        self._find.register(no_rule, signature=plum.Signature(object, object))

    def register(
        self,
        p_type: type,
        q_type: type,
        *,
        cost: str | Callable[[Any, Any], Any],
        precedence: int = 0,
    ) -> Callable[[Function], Function]:
        """Register the decorated function for the pair of types; a later one replaces an earlier one.

        `precedence` decides between rules of which neither is more specific than the other.
        """
        for kind, argument in ((p_type, "p_type"), (q_type, "q_type")):
            check_class(kind, f"{self._name}: {argument}")

        def decorate(function: Function) -> Function:
            rule = Rule(function, cost)

            def found(p: object, q: object) -> Any:  # plum converts to any narrower annotation
                return rule

            signature = plum.Signature(p_type, q_type, precedence=precedence)
            self._find.register(found, signature=signature)
            self._found.clear()
            return function

        return decorate

    def find(self, p: object, q: object) -> Rule | None:
        """Return the rule for the types of `p` and `q`, or None."""
        pair = type(p), type(q)
        if pair not in self._found:
            load_all(self._folder)
            self._found[pair] = self._find(p, q)  # type: ignore[assignment]
        return self._found[pair]
