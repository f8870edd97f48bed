"""Each table as Markdown, from the rows of one benchmark."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

Rows = list[dict[str, Any]]

CHECKED, UNCHECKED = "PyTorch", "PyTorch, no checks"
NAMES = {
    "numpy": "NumPy",
    "scipy": "SciPy",
    "numba": "Numba",
    "pytensor": "PyTensor",
    "pymc": "PyMC",
    "torch": "PyTorch",
    "numpyro": "NumPyro",
    "jax": "JAX",
}


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], left: int = 1) -> str:
    """A Markdown table whose first columns are text and the others numbers."""
    columns = list(columns)
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    lines = [columns, rule, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def time(seconds: float | None) -> str:
    """Seconds in the unit that is easily read."""
    if seconds is None:
        return "–"
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{figures(seconds * factor)} {unit}"
    return f"{figures(seconds)} s"


def figures(value: float) -> str:
    """Three significant figures without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def ratio(row: dict[str, float], other: str) -> float:
    return row["kl_plugins"] / row[other]


def listed(items: list[str]) -> str:
    return "; ".join(items)


def measured(results: dict[str, Any]) -> str:
    machine, libraries = results["machine"], results["libraries"]
    cores = "one core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    versions = ", ".join(f"{name} {libraries[key]}" for key, name in NAMES.items() if libraries[key])
    return (
        f"Measured at commit `{results['commit'][:10]}` (version {results['version']}) on "
        f"{results['date'][:10]}, on {cores} of {machine['cpu']} ({machine['system']}),\n"
        f"with Python {results['python']}, {versions}."
    )


def loading_cell(results: dict[str, Any]) -> str:
    """The cell that reads the rows; it names the commit, so that the page is run again after new results."""
    return f"""```{{code-cell}} ipython3
:tags: [hide-input]

import json
from pathlib import Path

results = json.loads(Path("../../benchmarks/results.json").read_text(encoding="utf-8"))
assert results["commit"] == "{results["commit"]}" and results["date"] == "{results["date"]}"
```"""


def durations(results: dict[str, Any]) -> str:
    took = results["seconds"]
    rows = [(f"`{name}`", f"{seconds:.0f}") for name, seconds in took.items()]
    return table(["benchmark", "seconds"], [*rows, ("all", f"{sum(took.values()):.0f}")])


def accuracy(rows: Rows) -> str:
    names = list(rows[0]["relative_error"])
    return table(
        ["case", "KL (nats)", *names],
        [
            (
                row["case"],
                f"{row['kl']:.1e}",
                *[f"{float(row['relative_error'][name]):.0e}" for name in names],
            )
            for row in rows
        ],
    )


def family_accuracy(rows: Rows) -> str:
    names = ["exact", "kl_plugins", "PyTorch"]
    return table(
        ["pair", *names], [(row["pair"], *[f"{float(row[name]):.10g}" for name in names]) for row in rows]
    )


def agreement(rows: Rows) -> str:
    furthest = max(rows, key=lambda row: row["difference"])
    return (
        f"{len(rows)} comparisons; the largest relative difference is {furthest['difference']:.0e} "
        f"({furthest['what']})."
    )


def speed(rows: Rows) -> str:
    names = ["kl_plugins", CHECKED, UNCHECKED, "NumPyro", "textbook", "floor"]
    return table(
        ["case", *names, "÷ PyTorch", "÷ PyTorch, no checks"],
        [
            (
                row["case"],
                *[time(row["seconds"].get(name)) for name in names],
                *[f"{ratio(row['seconds'], other):.2f}" for other in (CHECKED, UNCHECKED)],
            )
            for row in rows
        ],
    )


def slower(rows: Rows) -> str:
    """Where PyTorch, NumPyro or the textbook formula takes less time than the library."""
    said = []
    for other in (CHECKED, UNCHECKED, "NumPyro", "textbook"):
        timed = [row for row in rows if other in row["seconds"]]
        named = "the textbook formula" if other == "textbook" else other
        faster = [
            f"{row['case']} ({ratio(row['seconds'], other):.2f})"
            for row in timed
            if ratio(row["seconds"], other) >= 0.995
        ]
        ending = f"as fast or faster in {len(faster)} of {len(timed)} rows: {listed(faster)}"
        said.append(f"- {named}: {ending if faster else f'slower in all {len(timed)} rows'}.")
    return "\n".join(said)


def family_speed(rows: Rows) -> str:
    length = f"{rows[0]['length']:,d}".replace(",", " ")
    columns = ["pair", "one pair", "PyTorch", "÷ PyTorch", f"{length} pairs", "PyTorch", "÷ PyTorch"]
    lines = []
    for row in rows:
        cells = [row["pair"]]
        for key in ("one", "vector"):
            cells += [*[time(row[key][name]) for name in ("kl_plugins", "PyTorch")]]
            cells += [f"{ratio(row[key], 'PyTorch'):.2f}"]
        lines.append(cells)
    return table(columns, lines)


def slower_families(rows: Rows) -> str:
    faster = [
        f"{row['pair']}, {'one pair' if key == 'one' else 'vector'} ({ratio(row[key], 'PyTorch'):.2f})"
        for row in rows
        for key in ("one", "vector")
        if ratio(row[key], "PyTorch") >= 0.995
    ]
    apart = max(row["difference"] for row in rows)
    said = f"PyTorch is as fast or faster in {listed(faster)}" if faster else "PyTorch is slower in every row"
    return f"{said}. The two libraries' values differ by at most {apart:.0e}, relative."


def gradients(rows: Rows) -> str:
    names = ["kl_plugins", "the call", CHECKED, UNCHECKED, "textbook"]
    shown = ["kl_plugins", "of which the call", CHECKED, UNCHECKED, "textbook graph"]
    return table(
        ["d", *shown, "÷ PyTorch", "÷ PyTorch, no checks"],
        [
            (
                row["d"],
                *[time(row["seconds"][name]) for name in names],
                *[f"{ratio(row['seconds'], other):.2f}" for other in (CHECKED, UNCHECKED)],
            )
            for row in rows
        ],
    )


def compile_times(rows: Rows) -> str:
    graphs = {"ours": "kl_plugins", "checked": "textbook, same checks", "textbook": "textbook, no checks"}
    found = {(row["pair"], row["graph"]): row for row in rows}
    columns = [f"{text}: {cache}" for text in graphs.values() for cache in ("cold", "warm")]
    return table(
        ["pair", *columns],
        [
            (pair, *[f"{found[pair, graph][cache]:.2f} s" for graph in graphs for cache in ("cold", "warm")])
            for pair in dict.fromkeys(row["pair"] for row in rows)
        ],
    )


def estimators(rows: Rows) -> str:
    rules = [key for key in rows[0] if key not in ("pair", "kl")]
    return table(
        ["pair", "KL (nats)", *[f"{rule}: bias, RMSE" for rule in rules]],
        [
            (
                row["pair"],
                f"{row['kl']:.4g}",
                *[f"{float(row[rule]['bias']):+.1e}, {float(row[rule]['rmse']):.1e}" for rule in rules],
            )
            for row in rows
        ],
    )


def fixed_points(rows: Rows) -> str:
    return table(
        ["σ", "log(s/σ) predicted", "measured, mean of 20 variables"],
        [
            (
                f"{row['sigma']:g}",
                f"{row['predicted']:.4f}",
                f"{row['measured']:.4f} ± {row['standard_error']:.4f}",
            )
            for row in rows
            if "sigma" in row
        ],
    )


def from_optimum(rows: Rows) -> str:
    return table(
        ["target", "optimiser", "rate", "Jeffreys (nats)", "mean log(s/s*)"],
        [
            (row["target"], row["optimiser"], row["rate"], f"{row['jeffreys']:.4f}", f"{row['log_sd']:+.4f}")
            for row in rows
            if "optimiser" in row
        ],
        left=2,
    )


def variational(rows: Rows) -> str:
    lines = []
    for by in dict.fromkeys(row["by"] for row in rows):
        mine = [row for row in rows if row["by"] == by]
        claimed = [row for row in mine if row["claimed"]]
        medians = [
            statistics.median([row["seconds"] for row in mine if row["method"] == method] or [float("nan")])
            for method in ("advi", "fullrank_advi")
        ]
        counts = len(mine), len(claimed), sum(row["true"] for row in claimed)
        lines.append((f"`{by}`", *counts, *[f"{median:.1f} s" for median in medians]))
    columns = ["who", "fits", "claims", "of these true", "median time, mean field", "median time, full rank"]
    return table(columns, lines)


def untrue(rows: Rows) -> str:
    """Claims that are not true, and what no claim was made of."""
    wrong = [
        f"`{row['by']}` on {row['target']} ({row['method']}), {float(row['jeffreys']):.2g} nats off"
        for row in rows
        if row["claimed"] and not row["true"]
    ]
    ours = [row for row in rows if row["by"] == "variational.fit"]
    worst = max(float(row["jeffreys"]) for row in ours)
    targets, seeds = len({row["target"] for row in ours}), len({row["seed"] for row in ours})
    return (
        f"{targets} targets by two methods; `variational.fit` with {seeds} seeds each, the others with one "
        f"and {rows[0]['steps']:,d} steps at most. A claim is true within {rows[0]['tolerance']:g} nats.\n"
        f"The worst fit of `variational.fit` is {worst:.2g} nats from the optimum. "
        f"Claims that are not true: {listed(wrong) if wrong else 'none'}."
    )


def verdicts(rows: Rows) -> str:
    lines = []
    for fit in dict.fromkeys(row["fit"] for row in rows):
        mine = [row for row in rows if row["fit"] == fit]
        levels = [row["by_reference"] for row in mine]
        said = ", ".join(f"{levels.count(level)} {level}" for level in dict.fromkeys(sorted(levels)))
        same = sum(row["without_reference"] == row["by_reference"] for row in mine)
        alone = sum((row["k_alone"] == "reject") == (row["by_reference"] == "reject") for row in mine)
        seconds = statistics.median(row["seconds"] for row in mine)
        lines.append((fit, said, f"{same} of {len(mine)}", f"{alone} of {len(mine)}", f"{seconds:.1f} s"))
    columns = [
        "fit",
        "by reference draws",
        "same without them",
        "k̂ alone agrees",
        "median time of `diagnose`",
    ]
    return table(columns, lines, left=2)


def apart(rows: Rows) -> str:
    """The verdicts that reference draws contradict."""
    apart = [
        f"{row['posterior'].partition('-')[0]}, {row['fit']}: {row['without_reference']}, "
        f"by reference draws {row['by_reference']}"
        for row in rows
        if row["without_reference"] != row["by_reference"]
    ]
    return f"Verdicts that the reference draws contradict: {listed(apart) if apart else 'none'}."


def summary(results: dict[str, Any]) -> str:
    """At most eight rows for README: digits first, then time."""
    names = ["kl_plugins", CHECKED, UNCHECKED, "NumPyro"]
    lines: list[tuple[str, ...]] = []
    for case in ("d = 8, KL ≈ 1e-18, condition 1e2", "d = 8, KL ≈ 1, condition 1e2"):
        for row in results.get("accuracy", []):
            if row["case"] == case:
                error = {name: f"{float(value):.0e}" for name, value in row["relative_error"].items()}
                cells = error["kl_plugins"], error["PyTorch"], error["PyTorch"], error["NumPyro"]
                lines.append((f"relative error, {case.partition(', cond')[0]}", *cells))
    timed = [(row["case"], row["seconds"]) for row in results.get("speed", [])]
    timed += [(f"value and gradient, d = {row['d']}", row["seconds"]) for row in results.get("gradients", [])]
    for case, seconds in timed:
        if case in SUMMARY:
            lines.append((f"time, {case}", *[time(seconds.get(name)) for name in names]))
    commit = f"Commit `{results['commit'][:10]}`, one core of {results['machine']['cpu']}."
    return f"{table(['Gaussians', *names], lines)}\n\n{commit}"


SUMMARY = (
    "frozen stats.norm pair",
    "dense–dense, d = 10",
    "dense–dense, d = 1000",
    "diagonal–diagonal, d = 1e+06",
    "batch of 1e+05, d = 5",
    "value and gradient, d = 100",
)
"""The rows of time in README."""
