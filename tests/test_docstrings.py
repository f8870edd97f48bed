"""The public names have NumPy docstrings: what they take, return and raise, and an example that runs."""

import inspect
import re
from pathlib import Path

import pytest

import kl_plugins
import kl_plugins.extend
import kl_plugins.priors
import kl_plugins.variational
from kl_plugins.extend import Domain, Statistic

MODULES = (kl_plugins, kl_plugins.variational, kl_plugins.priors, kl_plugins.extend)
PUBLIC = {f"{module.__name__}.{name}": getattr(module, name) for module in MODULES for name in module.__all__}
NAMED = {name: thing for name, thing in PUBLIC.items() if not isinstance(thing, Domain)}
"""All but the domains, which the docstring of `kl_plugins.extend` lists."""

CLASSES = {name: thing for name, thing in NAMED.items() if isinstance(thing, type)}
CLASSES = {name: thing for name, thing in NAMED.items() if isinstance(thing, type)}
OF_A_TABLE = {name for name, kind in CLASSES.items() if issubclass(kind, Statistic)}
OF_A_TABLE -= {f"kl_plugins.extend.{name}" for name in ("Statistic", "Exp", "Power")}
"""Statistics without parameters: their summary says all, and the reference lists them."""

WHOLE = sorted(NAMED.keys() - OF_A_TABLE)


def sections(thing):
    """The sections of a docstring by their titles; what comes before them is that of the empty title."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n(-+)$", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    titles, lines, texts = parts[1::3], parts[2::3], parts[3::3]
    assert [len(title) for title in titles] == [len(line) for line in lines], "underlines as long as titles"
    return {"": parts[0], **dict(zip(titles, texts, strict=True))}


def described(text):
    """The names that a section of parameters or attributes describes."""
    heads = re.findall(r"^(\S.*?)(?: :.*)?$", text, flags=re.MULTILINE)
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


@pytest.mark.parametrize("name", NAMED)
def test_a_docstring_begins_with_a_sentence_of_one_line(name):
    own = type(NAMED[name]) is not type or "__doc__" in vars(NAMED[name])
    assert own, "a docstring of its own"
    first, _, rest = sections(NAMED[name])[""].partition("\n")
    assert first.endswith(".") or (first and "." in first), first
    assert not rest or rest.startswith("\n"), "a blank line after the summary"


@pytest.mark.parametrize("name", WHOLE)
def test_an_example_runs(name):
    assert ">>> " in sections(NAMED[name]).get("Examples", "")


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_taken_is_described(name):
    thing = NAMED[name]
    if isinstance(thing, type) and not {"Parameters", "Attributes"} & sections(thing).keys():
        assert issubclass(thing, Warning) or name.endswith("Operations"), "parameters or attributes"
        return
    if isinstance(thing, type) and "Parameters" not in sections(thing):
        return  # made by the library
    try:
        taken = [one for one in inspect.signature(thing).parameters if one not in ("args", "kwargs")]
    except (TypeError, ValueError):  # a table of rules
        return
    assert set(taken) <= set(described(sections(thing)["Parameters"] if taken else ""))


@pytest.mark.parametrize("name", [name for name in WHOLE if inspect.isfunction(NAMED[name])])
def test_what_is_returned_is_described(name):
    returns = inspect.signature(NAMED[name]).return_annotation
    assert (returns in (None, "None")) != ("Returns" in sections(NAMED[name]))


@pytest.mark.parametrize(
    "name", [name for name in WHOLE if inspect.isfunction(NAMED[name]) and ".extend." not in name]
)
def test_what_is_raised_is_described(name):
    assert "Raises" in sections(NAMED[name])


def test_all_is_complete_and_sorted():
    assert kl_plugins.__all__ == sorted(kl_plugins.__all__)
    for name in kl_plugins.__all__:
        assert hasattr(kl_plugins, name)


def test_the_reference_lists_every_public_name():
    page = (Path(__file__).parents[1] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", page))
    assert {name.rpartition(".")[2] for name in PUBLIC} <= words
