"""Reports as HTML, for notebooks: whatever is not HTML yet is escaped, and colours are the notebook's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

GREEN, AMBER, RED = "#2f8f4e", "#b07a00", "#d0453c"
"""Of good, middling and bad news; legible on white and on black."""
CELL = "text-align: left; vertical-align: top; padding: 0.15em 1.5em 0.15em 0"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def block(*parts: str) -> Html:
    """Parts below each other; what is too wide can be scrolled."""
    return Html(f"<div style='overflow-x: auto'>{_joined(parts)}</div>")


def paragraph(*parts: str) -> Html:
    return Html(f"<p>{_joined(parts)}</p>")


def coloured(text: str, colour: str) -> Html:
    """Good, middling or bad news: bold, so that it can be told without the colour."""
    return Html(f"<b style='color: {colour}'>{_safe(text)}</b>")


def listed(items: Iterable[str]) -> Html:
    return Html(f"<ul>{''.join(f'<li>{_safe(item)}</li>' for item in items)}</ul>")


def table(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> Html:
    """Rows of cells, below heads where there are some."""
    head = f"<thead><tr>{_cells(heads, 'th')}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in rows)
    style = "margin-left: 0; font-variant-numeric: tabular-nums"
    return Html(f"<table style='{style}'>{head}<tbody>{body}</tbody></table>")


def frame(table: pd.DataFrame, most: int) -> Html:
    """At most so many rows of a table of pandas, which escapes its cells itself."""
    return Html(table.rename_axis(None).to_html(max_rows=most, float_format="{:.3g}".format, border=0))


def folded(summary: str, *parts: str) -> Html:
    """What is shown on request."""
    return Html(f"<details><summary>{_safe(summary)}</summary>{_joined(parts)}</details>")


def _cells(texts: Sequence[str], tag: str) -> str:
    return "".join(f"<{tag} style='{CELL}'>{_safe(text)}</{tag}>" for text in texts)


def _joined(parts: Sequence[str]) -> str:
    return "".join(_safe(part) for part in parts)


def _safe(text: str) -> str:
    return text if isinstance(text, Html) else escape(text)
