"""Tables of the examples."""

from __future__ import annotations

from rich import box
from rich.table import Table


def table_of(title: str, caption: str) -> Table:
    """A table that fits into 80 columns, without rows and columns yet."""
    looks = {"title_justify": "left", "caption_justify": "left", "title_style": "bold", "caption_style": ""}
    return Table(title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, min_width=78, **looks)


def number(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.2g}" if value < 10.0 else f"{value:,.0f}"
