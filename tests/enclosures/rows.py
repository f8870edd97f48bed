"""Of which pairs the table of reference values is: names and parameters, and how rows are read and written.

Parameters are those of SciPy, in SciPy's order: shapes, loc and, of continuous distributions, scale. Names
that only PyMC has begin with ``pm.``; their parameters are PyMC's shapes, then a loc and a scale as
SciPy would have them.
"""

from __future__ import annotations

import ast
import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from zlib import crc32

from flint import arb
from scipy import stats

from kl_plugins import NoClosedFormError, kl
from specimens import CONTINUOUS, DISCRETE, made, name_of

from . import integrals, sums
from .coordinates import rational
from .images import DENSITIES
from .masses import MASSES
from .variants import EXTREME

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "reference" / "univariate_kl.csv"
HEADER = "p", "p_parameters", "q", "q_parameters", "kl", "radius", "condition"
KNOWN = {**DENSITIES, **MASSES}

SCALED_IN_PYMC = ("pm.HalfStudentT",)
"""Names that only PyMC has, whose last parameter is a scale there; others have none."""


@dataclass(frozen=True)
class Side:
    """A distribution by its name and its parameters, as JSON."""

    name: str
    parameters: str

    @property
    def numbers(self) -> list[Any]:
        return json.loads(self.parameters)

    def with_number(self, index: int, value: float) -> Side:
        numbers = self.numbers
        numbers[index] = value
        return side(self.name, numbers)


@dataclass(frozen=True)
class Row:
    """A pair; the divergence is within `radius` of `kl`. What is found is a decimal number.

    The condition, Σ |θ ∂KL/∂θ| over all parameters θ that are no whole numbers by nature, is by differences
    of the library's own values, to a digit or so, and is not proved.
    """

    p: Side
    q: Side
    kl: str = ""
    radius: str = ""
    condition: str = ""

    @property
    def pair(self) -> tuple[Side, Side]:
        return self.p, self.q


def side(name: str, parameters: list[Any]) -> Side:
    return Side(name, json.dumps(parameters))


def enclosed(row: Row) -> arb:
    """The divergence of a pair as a ball."""
    p, q = row.p, row.q
    if p == q:
        return arb(0)
    if p.name in MASSES:
        (first, low), (second, high) = _mass(p), _mass(q)
        return sums.divergence(first, second, high - low)
    return integrals.divergence(_member(p), _member(q))


def _member(one: Side) -> integrals.Member:
    *shapes, loc, scale = one.numbers
    return integrals.Member(DENSITIES[one.name](*shapes), rational(loc), rational(scale))


def _mass(one: Side) -> tuple[sums.Mass, int]:
    *shapes, loc = one.numbers
    return MASSES[one.name](*shapes), int(loc)


def filled(row: Row) -> Row | None:
    """With its value; None for a pair without a closed form, or infinite, or beyond the largest double."""
    try:
        found = kl(distribution(row.p), distribution(row.q))
    except NoClosedFormError:
        return None
    try:
        value = enclosed(row)
    except (integrals.OutsideError, ArithmeticError):
        if math.isinf(found):
            return None
        raise
    middle, radius = rounded(value)
    if math.isinf(float(middle)):
        return None
    return replace(row, kl=middle, radius=radius, condition=f"{condition(row):.1e}")


def condition(row: Row) -> float:
    """How much a relative error of the parameters changes the divergence, where that is known."""
    total = 0.0
    for which, one in (("p", row.p), ("q", row.q)):
        for index, parameter in enumerate(one.numbers):
            if not isinstance(parameter, float) or parameter == 0.0 or math.isinf(parameter):
                continue
            step = 1e-6 * abs(parameter)
            if one.name in DENSITIES and index == len(one.numbers) - 2:  # a place is measured by the scale
                step = max(min(step, 1e-6 * one.numbers[-1]), 1e3 * math.ulp(parameter))
            found, places = [], (parameter - step, parameter + step)
            for place in places:
                moved = replace(row, **{which: one.with_number(index, place)})
                try:
                    found.append(float(kl(distribution(moved.p), distribution(moved.q))))
                except (NoClosedFormError, ValueError):
                    found.append(math.nan)
            slope = (found[1] - found[0]) / (places[1] - places[0])
            if math.isfinite(slope):
                total += abs(parameter * slope)
    return total


def rounded(value: arb) -> tuple[str, str]:
    """Twenty digits, and a radius that covers what they leave out."""
    if value.is_zero():
        return "0", "0"
    shown = arb(value.mid()).str(20, radius=False)
    radius = abs(value - arb(shown)).upper()
    digits = radius.str(2, radius=False)
    while not arb(digits) >= radius:
        radius *= arb("1.05")
        digits = radius.str(2, radius=False)
    return shown, digits


def specimens() -> dict[str, Side]:
    """One distribution of each name: those of the reference's table of pairs."""
    rows = [row for group in (*CONTINUOUS.values(), *DISCRETE.values()) for row in group]
    return {name_of(row[0]): side(name_of(row[0]), _parameters(row[0])) for row in rows}


def _parameters(expression: str) -> list[Any]:
    name, call = name_of(expression), ast.parse(expression, mode="eval").body
    assert isinstance(call, ast.Call)
    if name == "rv_discrete":
        return [*map(list, ast.literal_eval(call.keywords[0].value)), 0]
    if expression.startswith("stats."):
        frozen = made(expression)
        shapes, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
        if isinstance(frozen.dist, stats.rv_discrete):
            return [*shapes, loc]
        return [float(one) for one in (*shapes, loc, scale)]
    given = [ast.literal_eval(one) for one in (*call.args, *(keyword.value for keyword in call.keywords))]
    if name in SCALED_IN_PYMC:
        return [*given[:-1], 0.0, given[-1]]
    return [*given, 0.0, 1.0] if name in DENSITIES else [*given, 0]


@cache
def distribution(one: Side) -> Any:
    """The object that `kl` takes."""
    import tables

    count = 2 if one.name in DENSITIES else 1
    shapes, rest = one.numbers[:-count], one.numbers[-count:]
    if one.name == "rv_discrete":
        return stats.rv_discrete(values=tuple(shapes))
    if one.name == "poisson_binom":  # takes them as one
        shapes = [shapes]
    if not one.name.startswith("pm."):
        return getattr(stats, one.name)(*shapes, *rest)
    if one.name in SCALED_IN_PYMC:
        shapes.append(rest.pop())
    if rest not in ([0.0], [0.0, 1.0]):
        raise ValueError("PyMC has no place and no scale for this one")
    return tables.in_numbers(made(f"{one.name}.dist({', '.join(map(repr, shapes))})"))


def closed_pairs() -> list[tuple[str, str]]:
    """The pairs of names that `docs/reference/pairs.md` has as closed forms, exact sums and quadratures."""
    text = (ROOT / "docs" / "reference" / "pairs.md").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[1] in ("closed form", "exact sum", "quadrature"):
            names = [[name.strip("`") for name in cells[index].split()] for index in (0, 2)]
            found += [(names[0][0], other) for other in names[1]]
    return found


def pairs() -> Iterator[Row]:
    """Every closed pair as the reference has it, members of each family that are close, and extreme ones.

    The same pair may come twice.
    """
    plain, closed = specimens(), [pair for pair in closed_pairs() if {*pair} <= {*KNOWN}]
    for p, q in closed:
        yield Row(plain[p], plain[q])
    for name in (p for p, q in closed if p == q):
        members = [plain[name], *(side(name, one) for one in EXTREME.get(name, ()))]
        for member, step in product(members[:2], (1e-3, 1e-8)):
            yield from _near(member, step)
        for first, second in pairwise([*members, members[0]]):
            if first != second:
                yield from (Row(first, second), Row(second, first))
    for p, q in closed:
        number = crc32(f"{p} {q}".encode())  # the same, whatever other pairs there are
        if p != q and number % 2 == 0:
            number //= 2
            first, second = ([plain[name].numbers, *EXTREME.get(name, ())] for name in (p, q))
            yield Row(side(p, first[number % len(first)]), side(q, second[-1 - number % len(second)]))


def _near(p: Side, step: float) -> Iterator[Row]:
    """Two rows: shapes that differ, and shapes, loc and scale that differ."""
    numbers = p.numbers
    count = 2 if p.name in DENSITIES else 1
    shapes, rest = numbers[:-count], numbers[-count:]
    if not all(isinstance(one, float) for one in shapes):
        shapes = [one * (1 + step) if isinstance(one, float) else one for one in shapes]
    else:
        shapes = [one * (1 + step * (-1) ** index) for index, one in enumerate(shapes)]
    if shapes != numbers[:-count]:
        yield Row(p, side(p.name, [*shapes, *rest]))
    if count == 2:
        loc, scale = rest
        if not shapes:
            yield Row(p, side(p.name, [loc, scale * (1 + step)]))
        if p.name == "vonmises":
            yield Row(p, side(p.name, [*shapes, loc - step, scale]))
        elif not p.name.startswith("pm."):
            yield Row(p, side(p.name, [*shapes, loc - step * scale, scale * (1 + 3 * step)]))


def read() -> list[Row]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        assert tuple(next(lines)) == HEADER
        return [Row(Side(*line[:2]), Side(*line[2:4]), *line[4:]) for line in lines]


def write(rows: list[Row]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for row in rows:
            sides = row.p.name, row.p.parameters, row.q.name, row.q.parameters
            writer.writerow([*sides, row.kl, row.radius, row.condition])
