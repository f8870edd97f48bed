"""Writes the tables of the reference, those of ``docs/reference/*.md``: ``python docs/tables.py``.

They are kept in the repository, where they can be read and a change of them reviewed; a test says where they
are not what this script writes. Only what stands between the marks is written, not the words around it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kl_plugins import MultivariateNormal, NoClosedFormError, explain, extend, kl
from kl_plugins.extend import Distribution, recognise
from kl_plugins.families.core.discrete import NATS
from kl_plugins.parameters.certainty import certainly_infinite
from specimens import ALIASES, CONTINUOUS, COVARIANCES, DISCRETE, SEVERAL, UNIVARIATE, made, name_of

PAGES = Path(__file__).parent / "reference"
KINDS = "closed form", "exact sum", "quadrature", "no closed form", "infinite"


def in_numbers(obj: object) -> Any:
    """The distribution that an object is recognised as, with the values of what is a graph in PyMC."""
    return _evaluated(recognise(obj))


def _evaluated(made: Any) -> Any:
    if isinstance(made, tuple):
        return tuple(map(_evaluated, made))
    if hasattr(made, "eval"):
        found = made.eval(mode="FAST_COMPILE")
        return float(found) if found.ndim == 0 else found
    if not hasattr(made, "parameters"):
        return made
    return type(made)(*[_evaluated(getattr(made, field.name)) for field in _stated(made)])


def kind(p: Any, q: object) -> str:
    """How the divergence of a pair is had: one of `KINDS`."""
    try:
        value = kl(p, q)
    except NoClosedFormError:
        return "no closed form"
    if np.isinf(value):
        return "infinite"
    found = explain(p, q)
    if found.cost.startswith("quadrature"):
        return "quadrature"
    if not found.rule.endswith("by_outcomes"):
        return "closed form"
    slow = certainly_infinite(recognise(p).for_decisions().reach(NATS))
    return "no closed form" if slow else "exact sum"  # of different parameters


def pairs(groups: dict[str, list[tuple[str, ...]]]) -> Iterator[str]:
    """A table: for each p and each kind, the q's."""
    rows = [row for group in groups.values() for row in group]
    members = {row: in_numbers(made(row[0])) for row in rows}
    yield from ["| p | KL(p‖q) | q |", "|---|---|---|"]
    for row in rows:
        kinds = {other: kind(members[row], members[other]) for other in rows}
        for word in KINDS:
            found = [name_of(other[0]) for other in rows if kinds[other] == word]
            if found:
                yield f"| {_listed(map(name_of, row))} | {word} | {_listed(found)} |"


def _listed(names: Any) -> str:
    return " ".join(f"`{name}`" for name in names)


def everything() -> list[str]:
    """The expressions for a distribution of every name."""
    return [one for rows in (*UNIVARIATE.values(), *SEVERAL.values()) for row in rows for one in row] + [
        *ALIASES
    ]


def names(library: str) -> Iterator[str]:
    """A table: what a distribution of each name is recognised as."""
    chosen = sorted((one for one in everything() if one.startswith(library)), key=str.casefold)
    yield from ["| Yours | becomes |", "|---|---|"]
    for one in chosen:
        yield f"| `{one}` | `{shown(in_numbers(made(one)))}` |"


def families() -> Iterator[str]:
    """A table: what a distribution of each family is, in the words of its class."""
    found = {type(in_numbers(made(one))) for one in everything()}
    yield from ["| Family | What it is |", "|---|---|"]
    for kind in sorted(found, key=lambda kind: kind.__name__):
        words = " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\nParameters\n")[0].split())
        words = re.sub(
            r"(https://en.wikipedia[^\s;,]+[^\s;,.])",
            r"[Wikipedia](<\1>)",
            words.replace("|", BAR).replace("*", r"\*"),
        )
        stated = ", ".join(_declared(field) for field in _stated(kind))
        yield f"| `{kind.__name__}({stated})` | {words} |"


def _stated(made: Any) -> list[Any]:
    """The fields but for names of dimensions, which are given by name."""
    return [field for field in fields(made) if not field.kw_only]


def _declared(field: Any) -> str:
    return field.name if field.default is MISSING else f"{field.name}={field.default:g}"


def shown(made: Distribution) -> str:
    """A distribution as one would write it, without what has its default value; structures by their names."""
    if made.describe() != type(made).__name__ and "(" in made.describe():
        return made.describe()
    given = [(field.name, getattr(made, field.name), field.default) for field in _stated(made)]
    texts = [f"{name}={_number(value)}" for name, value, default in given if not _is(value, default)]
    return f"{type(made).__name__}({', '.join(texts)})"


def _is(value: Any, default: Any) -> bool:
    return default is not MISSING and np.ndim(value) == 0 and value == default


def _number(value: Any) -> str:
    """A number with four digits, or a list of such."""
    if isinstance(value, Distribution):
        return shown(value)
    if np.ndim(value):
        return f"[{', '.join(map(_number, value))}]"
    return f"{value:.4g}"


def costs() -> Iterator[str]:
    """A table: what the covariances of a pair of Gaussians cost, by their structures."""
    members = {name: MultivariateNormal(np.zeros(12), make()) for name, make in COVARIANCES.items()}
    yield from ["| p | cost | q |", "|---|---|---|"]
    for name, p in members.items():
        by_cost: dict[str, list[str]] = {}
        for other, q in members.items():
            by_cost.setdefault(explain(p, q).cost, []).append(other)
        for cost, found in by_cost.items():
            yield f"| `{name}` | {cost} | {_listed(found)} |"


def domains() -> Iterator[str]:
    """A table: the named domains of parameters."""
    yield from ["| name | numbers |", "|---|---|"]
    for name in extend.__all__:
        if isinstance(domain := getattr(extend, name), extend.Domain):
            yield f"| `{name}` | {str(domain).replace('-inf', '−∞').replace('inf', '∞')} |"


def statistics() -> Iterator[str]:
    """A table: the statistics that have no parameters."""
    yield from ["| name | statistic |", "|---|---|"]
    for name in extend.__all__:
        kind = getattr(extend, name)
        is_statistic = isinstance(kind, type) and issubclass(kind, extend.Statistic)
        if is_statistic and kind.text and not is_dataclass(kind):
            yield f"| `{name}` | {kind.text.replace('|', BAR)} |"


BAR = "\\|"
"""As it is written in a table."""

TABLES: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "pairs.md": {
        "continuous": lambda: pairs(CONTINUOUS),
        "discrete": lambda: pairs(DISCRETE),
    },
    "api.md": {"domains": domains, "statistics": statistics},
    "covariances.md": {"costs": costs},
    "names.md": {
        "scipy": lambda: names("stats."),
        "pymc": lambda: names("pm."),
        "families": families,
    },
}
"""By page and by the name in its marks: what writes the table."""


def written(page: str) -> str:
    """The page with its tables as they are now."""
    text = (PAGES / page).read_text(encoding="utf-8")
    for name, lines in TABLES[page].items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, after = text.split(start)
        table = "\n".join(lines())
        text = f"{before}{start}\n{table}\n\n{end}{after.partition(end)[2]}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        (PAGES / page).write_text(written(page), encoding="utf-8")
