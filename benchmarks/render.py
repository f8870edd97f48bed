"""The tables of README and docs, written from results.json between the markers of a page.

A page has ``<!-- benchmarks: NAME begin -->`` and ``<!-- benchmarks: NAME end -->`` with the name of a table,
or no name for the summary. What is between them is written here and nowhere else; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import fit_tables, tables
from benchmarks.common import ROOT

Results = dict[str, Any]

TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "accuracy": ("accuracy", tables.accuracy),
    "family_accuracy": ("family_accuracy", tables.family_accuracy),
    "agreement": ("agreement", tables.agreement),
    "speed": ("speed", tables.speed),
    "speed.slower": ("speed", tables.slower),
    "family_speed": ("family_speed", tables.family_speed),
    "family_speed.slower": ("family_speed", tables.slower_families),
    "scale": ("scale", tables.scale),
    "scale.said": ("scale", tables.scale_in_words),
    "gradients": ("gradients", tables.gradients),
    "compile_times": ("compile_times", tables.compile_times),
    "compile_times.loading": ("compile_times", tables.loading_of_families),
    "compile_times.slower": ("compile_times", tables.slower_to_compile),
    "estimators": ("estimators", tables.estimators),
    "draws": ("draws", tables.from_draws),
    "optimiser_bias.predicted": ("optimiser_bias", fit_tables.fixed_points),
    "optimiser_bias.distances": ("optimiser_bias", fit_tables.from_optimum),
    "variational": ("variational", fit_tables.variational),
    "variational.untrue": ("variational", fit_tables.untrue),
    "minibatches": ("minibatches", fit_tables.minibatches),
    "minibatches.said": ("minibatches", fit_tables.minibatches_in_words),
    "large_models": ("large_models", fit_tables.large_models),
    "large_models.said": ("large_models", fit_tables.large_models_in_words),
    "verdicts": ("verdicts", fit_tables.verdicts),
    "verdicts.apart": ("verdicts", fit_tables.apart),
    "trainer": ("trainer", fit_tables.trainer),
    "trainer.said": ("trainer", fit_tables.trainer_in_words),
    "linear_response": ("linear_response", fit_tables.linear_response),
    "linear_response.trusted": ("linear_response", fit_tables.trusted),
}
"""A table's name, the benchmark whose rows it takes, and what writes it."""

WHOLE: dict[str, Callable[[Results], str]] = {
    "": tables.summary,
    "measured": tables.measured,
    "rows": tables.loading_cell,
    "durations": tables.durations,
}
"""What takes the whole of the results."""

MARKED = re.compile(
    r"(?P<begin><!-- benchmarks: (?P<name>[\w.]* ?)begin -->\n).*?(?P<end><!-- benchmarks: (?P=name)end -->)",
    re.S,
)


def tables_of(results: Results) -> dict[str, str]:
    """All tables of the benchmarks that have rows here, by name."""
    return {name: write(results[rows]) for name, (rows, write) in TABLES.items() if rows in results}


def content(name: str, results: Results) -> str:
    """What stands between the markers of a name."""
    if name in WHOLE:
        return WHOLE[name](results)
    rows, write = TABLES[name]
    if rows in results:
        return write(results[rows])
    return f"Not run: {results['not_run'][rows]}."


def rendered(page: str, results: Results) -> str:
    """A page with what is between its markers written anew."""

    def between(found: re.Match[str]) -> str:
        return f"{found['begin']}{content(found['name'].strip(), results)}\n{found['end']}"

    return MARKED.sub(between, page)


def pages() -> list[Path]:
    """README and the pages of docs that have markers."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in every if "<!-- benchmarks: " in page.read_text(encoding="utf-8")]


def write_pages(results: Results) -> list[str]:
    """Write all pages; the names of those that changed."""
    changed = []
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = rendered(before, results)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(str(page.relative_to(ROOT)))
    return changed
