"""How the tables write times, ratios and powers of ten."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Rows = list[dict[str, Any]]

NO_BREAK = "\u00a0"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], left: int = 1) -> str:
    """A Markdown table whose first columns are text and the others numbers."""
    columns = list(columns)
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [columns, rule, *rows])
    for sign in "=≈±‖":
        text = text.replace(f" {sign} ", f"{NO_BREAK}{sign}{NO_BREAK}")
    return text


def time(seconds: float | None) -> str:
    """Seconds in the unit that is easily read."""
    if seconds is None:
        return "–"
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{figures(seconds * factor)}{NO_BREAK}{unit}"
    return f"{figures(seconds)}{NO_BREAK}s"


def scientific(value: float, digits: int = 0) -> str:
    """A number as a power of ten, in characters between which no line is broken."""
    if not math.isfinite(value):
        return str(value)
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return mantissa.replace("-", "−") + ("" if power == "⁰" else f"·10{power}")


def figures(value: float) -> str:
    """Three significant figures without an exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def ratio(row: dict[str, float], other: str) -> float:
    return row["kl_plugins"] / row[other]


def quotient(row: dict[str, float], other: str) -> str:
    """Our time as a part of another's."""
    found = ratio(row, other)
    return f"{found:.2f}" if found >= 0.095 else f"{found:.1g}"


def listed(items: list[str]) -> str:
    return "; ".join(items)
