"""Foreign object → Distribution: the plugin of a library is loaded when one of its objects shows up.

A plugin is a module named in the entry-point group ``kl_plugins`` under the top-level package whose
objects it understands. Importing it registers functions with `recognise`, one per class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ReferenceType, ref

from kl_plugins.estimate.density import has_density
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.mistakes import installed, mistaken
from kl_plugins.rules import load_all

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kl_plugins"


@singledispatch
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
    function = recognise.dispatch(kind)
    if function is _unknown:
        if isinstance(obj, type):
            raise TypeError(f"{obj.__qualname__} is a class, not a distribution: make an instance of it")
        raise TypeError(mistaken(obj) or unknown(obj))
    return function(obj)


_unknown = recognise.dispatch(object)


@singledispatch
def representative(obj: object) -> Any:
    """The object whose class rules are registered for: the object itself, unless a plugin says otherwise.

    Where a library has one class for all its distributions, it is what tells them apart.
    """
    return obj


@singledispatch
def as_written(obj: object) -> str:
    """What a caller would call the object: in the words of its library, where a plugin knows them."""
    return str(getattr(obj, "name", None) or type(obj).__qualname__)


@as_written.register
def _(obj: Distribution) -> str:
    return obj.describe()


shared_classes: dict[type, str] = {}
"""Classes that many distributions share, so that no rule can be for them; and what to register instead."""


@recognise.register
def _(obj: Distribution) -> Distribution:
    return obj


class Known(NamedTuple):
    """What an object was recognised as, which holds while it is as it was."""

    reference: ReferenceType[Any]
    is_as_it_was: Callable[[Any], bool]
    made: Distribution


_known: dict[int, Known] = {}
"""By the identity of an object, as long as it lives."""


def remember(obj: object, made: Distribution, is_as_it_was: Callable[[Any], bool]) -> None:
    """Keep what an object was recognised as, which may take longer than the divergence.

    `is_as_it_was` is asked of the object every time: whether all that it was recognised by is the same.
    """
    key = id(obj)
    _known[key] = Known(ref(obj, lambda _: _known.pop(key, None)), is_as_it_was, made)


def remembered(obj: object) -> Distribution | None:
    """What the object was recognised as before, unless it has changed."""
    known = _known.get(id(obj))
    if known is None:
        return None
    reference, is_as_it_was, made = known
    return made if reference() is obj and is_as_it_was(obj) else None


def _register(*args: Any, **options: Any) -> Any:
    _known.clear()  # the new function may be for these very objects
    return _register_with_dispatch(*args, **options)


_register_with_dispatch = recognise.register
recognise.register = _register  # type: ignore[method-assign]


@cache
def plugins() -> dict[str, tuple[EntryPoint, ...]]:
    """The installed plugins, by the top-level package whose objects they understand."""
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
    for root in dict.fromkeys(base.__module__.partition(".")[0] for base in kind.__mro__):
        for plugin in plugins().get(root, ()):
            load(plugin)
    _seen.add(kind)


@cache
def load(plugin: EntryPoint) -> None:
    """Import a plugin's module, which registers what it understands."""
    try:
        plugin.load()
    except ImportError as error:
        distribution = plugin.dist.name if plugin.dist else plugin.value
        raise ImportError(
            f"the kl_plugins plugin for objects of {plugin.name!r} could not be imported ({error}); "
            f'install it with: pip install "{distribution}[{plugin.name}]"'
        ) from error


def unknown(obj: object) -> str:
    """Message for an object of a kind that no plugin understands."""
    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    if not plugins():
        return (
            f"{kind} is not understood because no plugins are installed: kl_plugins has to be "
            "installed (pip install .), not only importable"
        )
    estimated = (
        "kl_plugins.estimate_kl estimates divergences with their error, as it has a density"
        if has_density(obj)
        else "With methods logpdf and rvs, kl_plugins.estimate_kl would take it"
    )
    return (
        f"{kind} is not a distribution that kl_plugins understands (it knows those of "
        f"{', '.join(installed(plugins()))}). {estimated}. "
        "Register a closed form with kl_plugins.register_kl, or teach "
        "kl_plugins.extend.recognise the class"
    )
