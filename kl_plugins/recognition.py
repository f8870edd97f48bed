"""Foreign object → Distribution: the plugin of a library is loaded when one of its objects shows up.

A plugin is a module named in the entry-point group ``kl_plugins`` under the package whose objects it
understands: a top-level one, or a part of one that has objects of another kind (``pytensor.xtensor``).
Importing it registers functions with `recognise`, one per class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kl_plugins.errors import Apart, NoClosedFormError, NotRecognisedError, Requirement, Uncommon, in_a_row
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.mistakes import installed, mistaken, traced
from kl_plugins.open_functions import OpenFunction
from kl_plugins.ops.named import BY_NAME
from kl_plugins.rules import load_all

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from kl_plugins.families.core.maps import Composed

GROUP = "kl_plugins"


@OpenFunction
def recognise(obj: object) -> Distribution:
    """Turn an object of a known library into one of the library's own distributions.

    To teach it a class, register a function for the class; in a package of its own, do so in the module
    that the package's ``kl_plugins`` entry point names.

    Parameters
    ----------
    obj : object
        A distribution object of any library.

    Returns
    -------
    Distribution

    Raises
    ------
    TypeError
        If `obj` is not a distribution, or not one that is understood.
    ImportError
        If the plugin for the object's library cannot be imported.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.extend import Normal, recognise
    >>> class Reading:
    ...     def __init__(self, value, error):
    ...         self.value, self.error = value, error
    >>> @recognise.register(Reading)
    ... def _(reading):
    ...     return Normal(reading.value, reading.error)
    >>> kl(Reading(0.0, 1.0), Reading(1.0, 1.0))
    np.float64(0.5)
    """
    kind = type(obj)
    load_plugins_of(kind)
    if recognise.knows(kind):
        return recognise(obj)
    mistake = mistaken(obj)
    raise TypeError(mistake) if mistake else NotRecognisedError(unknown(obj))


@OpenFunction
def representative(obj: object) -> Any:
    """The object whose class rules are registered for: the object itself, unless a plugin says otherwise.

    Where a library has one class for all its distributions, it is what tells them apart.
    """
    return obj


@OpenFunction
def composed(obj: object) -> Composed | None:
    """What an object is as a function of one random variable; None of others."""
    return None


@OpenFunction
def as_written(obj: object) -> str:
    """What a caller would call the object: in the words of its library, where a plugin knows them."""
    return str(getattr(obj, "name", None) or type(obj).__qualname__)


@as_written.register(Distribution)
def _(obj: Distribution) -> str:
    return obj.describe()


@OpenFunction
def parameters_as_written(obj: object) -> Mapping[str, str | tuple[str, str]]:
    """What the object's library calls the parameters of our family, by our names; some with their meaning."""
    return {}


def requirement_as_written(message: str, obj: object) -> str:
    """What a parameter must be, in the words of the object's library."""
    called = isinstance(message, Requirement) and parameters_as_written(obj).get(message.parameter)
    if not called:
        return message
    assert isinstance(message, Requirement)
    return message.renamed(called) if isinstance(called, str) else message.renamed(*called)


@OpenFunction
def arguments_of(obj: object) -> Mapping[str, Any]:
    """What a caller gave for the parameters of an object, by name, where its library tells."""
    return {}


def obstacle_as_written(why: str, p: object, q: object) -> str:
    """What is in the way of a pair, in the words of the libraries of the two objects."""
    if isinstance(why, Uncommon):
        return Uncommon(*(_common_name(name, p, q) for name in why.names))
    return _differing(why, p, q) if isinstance(why, Apart) else why


def _common_name(name: str, p: object, q: object) -> str:
    """What both sides call a parameter, or each of them."""
    of_p, of_q = (parameters_as_written(side).get(name, name) for side in (p, q))
    first, second = (one if isinstance(one, str) else one[1] for one in (of_p, of_q))
    return first if first == second else f"{first} (of q {second})"


def _differing(why: Apart, p: object, q: object) -> str:
    """In which of the arguments two objects of one kind differ; of others whether it is the location."""
    of_p, of_q = arguments_of(p), arguments_of(q)
    if not (of_p and of_q):
        return why
    differ = [name for name in of_p if name in of_q and np.any(np.not_equal(of_p[name], of_q[name]))]
    if "loc" in differ:
        return Apart(why.needed, True, why.hint)
    if list(of_p) == list(of_q) and type(representative(p)) is type(representative(q)):
        return f"they differ in {in_a_row(differ)}, so that {why.needed}"
    return why.needed if why.of_locations else why


@OpenFunction
def is_symbolic(obj: object) -> bool:
    """Whether its parameters depend on inputs of a graph, where estimates need numbers."""
    return False


@is_symbolic.register(Distribution)
def _(obj: Distribution) -> bool:
    return obj.ops is not BY_NAME and bool(obj.ops.symbolic)


shared_classes: dict[type, str] = {}
"""Classes that many distributions share, so that no rule can be for them; and what to register instead."""


@recognise.register(Distribution)
def _(obj: Distribution) -> Distribution:
    return obj


@cache
def plugins() -> dict[str, tuple[EntryPoint, ...]]:
    """The installed plugins, by the package whose objects they understand."""
    from importlib.metadata import entry_points  # takes longer to import than this library

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry_point in entry_points(group=GROUP):
        found[entry_point.name] = (*found.get(entry_point.name, ()), entry_point)
    return found


_seen: set[type] = set()


def load_plugins_of(kind: type) -> None:
    """Load the families, and the plugins of the packages that the class and its bases come from."""
    if kind in _seen:
        return
    load_all("kl_plugins.families")
    modules = dict.fromkeys(base.__module__ for base in kind.__mro__)
    for package in dict.fromkeys(package for module in modules for package in _packages(module)):
        for plugin in plugins().get(package, ()):
            load(plugin)
    _seen.add(kind)


def _top(package: str) -> str:
    return package.partition(".")[0]


def _packages(module: str) -> Iterator[str]:
    """The packages that a module is in, outermost first, and the module itself."""
    names = module.split(".")
    return (".".join(names[: i + 1]) for i in range(len(names)))


@cache
def load(plugin: EntryPoint) -> None:
    """Import a plugin's module, which registers what it understands."""
    try:
        plugin.load()
    except ImportError as error:
        about = f"the kl_plugins plugin for objects of {plugin.name!r} could not be imported ({error}); "
        if plugin.value.startswith("kl_plugins."):
            remedy = f'install it with: pip install "kl-plugins[{_top(plugin.name)}]"'
        else:
            package = f"the package {plugin.dist.name!r}" if plugin.dist else "a package"
            remedy = f"its entry point is '{plugin.name} = {plugin.value}' of {package}"
        raise ImportError(about + remedy, name=error.name, path=error.path) from error


def unknown(obj: object) -> str:
    """Message for an object of a kind that no plugin understands."""
    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    if not plugins():
        return (
            f"{kind} is not understood because no plugins are installed: kl_plugins has to be "
            "installed (pip install .), not only importable"
        )
    known = installed({_top(name) for name in plugins()})
    return (
        f"{kind} is not a distribution that kl_plugins understands (it knows those of "
        f"{', '.join(known)}). Register a closed form with kl_plugins.register_kl, or teach "
        "kl_plugins.extend.recognise the class"
    )


def told_of(error: Exception, of: str) -> Exception:
    """The error, whose message begins with what it is of; itself where its class takes more than a text."""
    if (reason := traced(error)) is not None:
        return TypeError(f"{of}: {reason}")
    if type(error) not in (TypeError, ValueError, NoClosedFormError, np.linalg.LinAlgError):
        return error
    told = type(error)(f"{of}: {error}")
    if isinstance(told, NoClosedFormError) and isinstance(error, NoClosedFormError):
        told.why = error.why
    return told
