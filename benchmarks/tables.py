"""The tables of digits and times as Markdown, each from the rows of one benchmark, and README's summary."""

from __future__ import annotations

from typing import Any

from benchmarks.words import Rows, figures, listed, quotient, ratio, scientific, table, time

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


def measured(results: dict[str, Any]) -> str:
    machine, libraries = results["machine"], results["libraries"]
    cores = "one core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    versions = ", ".join(f"{name} {libraries[key]}" for key, name in NAMES.items() if libraries[key])
    later: dict[str, list[str]] = {}
    for name, commit in results["later"].items():
        later.setdefault(commit, []).append(f"`{name}`")
    others = "".join(f"\nAt commit `{commit[:10]}`: {', '.join(names)}." for commit, names in later.items())
    return (
        f"Measured at commit `{results['commit'][:10]}` (version {results['version']}) until "
        f"{results['date'][:10]}, on {cores} of {machine['cpu']} ({machine['system']}),\n"
        f"with Python {results['python']}, {versions}.{others}"
    )


def loading_cell(results: dict[str, Any]) -> str:
    """The cell that reads the rows; it names the commit, so that the page is run again after new results."""
    return f"""```{{code-cell}} ipython3
:tags: [remove-input]

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
                scientific(row["kl"], 1),
                *[scientific(float(row["relative_error"][name])) for name in names],
            )
            for row in rows
        ],
    )


def family_accuracy(rows: Rows) -> str:
    names = ["exact", "kl_plugins", "PyTorch"]
    return table(
        ["pair", *names],
        [(row["pair"], *[f"{float(row[name]):.10g}".replace("-", "−") for name in names]) for row in rows],
    )


def agreement(rows: Rows) -> str:
    furthest = max(rows, key=lambda row: row["difference"])
    return (
        f"{len(rows)} comparisons; the largest relative difference is {scientific(furthest['difference'])} "
        f"({furthest['what']})."
    )


def speed(rows: Rows) -> str:
    names, others = ["kl_plugins", CHECKED, UNCHECKED], ["NumPyro", "textbook", "floor"]
    return table(
        ["case", *names, "÷ PyTorch", "÷ PyTorch, no checks", *others],
        [
            (
                row["case"],
                *[time(row["seconds"].get(name)) for name in names],
                *[quotient(row["seconds"], other) for other in (CHECKED, UNCHECKED)],
                *[time(row["seconds"].get(name)) for name in others],
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
            cells += [quotient(row[key], "PyTorch")]
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
    return f"{said}. The two libraries' values differ by at most {scientific(apart)}, relative."


def scale(rows: Rows) -> str:
    """Seconds and memory of tables; nanoseconds of a pair show that the cost grows with the pairs."""
    return table(
        ["table", "processes", "pairs", "time", "ns a pair", "peak memory, MiB"],
        [
            (
                row["what"],
                max(1, row["workers"]),
                scientific(row["pairs"], 0 if row["pairs"] in (10**6, 10**8) else 1),
                time(row["seconds"]),
                figures(1e9 * row["seconds"] / row["pairs"]),
                f"{row['peak_mib']:,.0f}".replace(",", " "),
            )
            for row in rows
        ],
    )


def scale_in_words(rows: Rows) -> str:
    """How much faster two workers are than one, the most memory of a worker, and how many bits differ."""
    one, two = (
        next(row for row in rows if row["what"].endswith("Zarr") and row["workers"] == n) for n in (1, 2)
    )
    memory = max(one["peak_mib"], two["peak_mib"])
    differing = one["differing"] + two["differing"]
    same = "all values have the bits of the table in memory"
    return (
        f"Two workers take {two['seconds'] / one['seconds']:.2f} of the time of one. A worker had at most "
        f"{memory:.0f} MiB, of which {one['loaded_mib']:.0f} MiB before the first block; "
        f"{same if differing == 0 else f'{differing} values differ from those in memory'}."
    )


def gradients(rows: Rows) -> str:
    names = ["kl_plugins", "the call", CHECKED, UNCHECKED, "textbook"]
    shown = ["kl_plugins", "of which the call", CHECKED, UNCHECKED, "textbook graph"]
    return table(
        ["d", *shown, "÷ PyTorch", "÷ PyTorch, no checks"],
        [
            (
                row["d"],
                *[time(row["seconds"][name]) for name in names],
                *[quotient(row["seconds"], other) for other in (CHECKED, UNCHECKED)],
            )
            for row in rows
        ],
    )


def compile_times(rows: Rows) -> str:
    graphs = {"ours": "kl_plugins", "checked": "textbook, PyMC's checks", "textbook": "textbook, no checks"}
    found = {(row["pymc"], row["pair"], row["graph"]): row for row in rows}
    columns = [f"{text}: {cache}" for text in graphs.values() for cache in ("cold", "warm")]
    lines = {(row["pymc"], row["backend"], row["pair"]): None for row in rows}
    return table(
        ["PyMC (backend)", "graph", *columns],
        [
            (
                f"{pymc} ({backend})",
                {"model": "model of 20 terms"}.get(pair, pair),
                *[time(found[pymc, pair, graph][cache]) for graph in graphs for cache in ("cold", "warm")],
            )
            for pymc, backend, pair in lines
        ],
    )


def loading_of_families(rows: Rows) -> str:
    """How long the first term of a process takes to load what builds it, for each generation of PyMC."""
    least: dict[str, float] = {}
    for row in (row for row in rows if "loading" in row):  # rows of before it was measured apart lack it
        least[row["pymc"]] = min(row["loading"], least.get(row["pymc"], row["loading"]))
    if not least:
        return "- not measured: these rows count it as part of the first term"
    return "\n".join(f"- with PyMC {pymc}: {time(seconds)}" for pymc, seconds in least.items())


def slower_to_compile(rows: Rows) -> str:
    """Where a graph of ours takes longer to compile than the textbook's with PyMC's checks."""
    found = {(row["pymc"], row["pair"], row["graph"]): row for row in rows}
    said = []
    for cache in ("cold", "warm"):
        pairs = [
            (f"{pair} with PyMC {pymc}", row[cache] / found[pymc, pair, "checked"][cache])
            for (pymc, pair, graph), row in found.items()
            if graph == "ours"
        ]
        slower = [f"{name} ({quotient:.2f})" for name, quotient in pairs if quotient > 1.005]
        ending = f"slower in {len(slower)} of {len(pairs)} rows: {listed(slower)}"
        said.append(f"- {cache}: {ending if slower else f'as fast or faster in all {len(pairs)} rows'}.")
    return "\n".join(said)


def estimators(rows: Rows) -> str:
    rules = [key for key in rows[0] if key not in ("pair", "kl")]
    return table(
        ["pair", "KL (nats)", *[f"{rule}: bias, RMSE" for rule in rules]],
        [
            (
                row["pair"],
                f"{row['kl']:.4g}" if row["kl"] > 1e-3 else scientific(row["kl"]),
                *[
                    ", ".join(scientific(float(row[rule][key]), 1) for key in ("bias", "rmse"))
                    for rule in rules
                ],
            )
            for row in rows
        ],
    )


def from_draws(rows: Rows) -> str:
    """Bias, half of the interval, and how often it holds the truth."""
    names = list(rows[0]["methods"])

    def cell(found: dict[str, Any] | None) -> str:
        if found is None:
            return "–"
        bias = f"{float(found['bias']):+.3f}"
        if "half" not in found:
            return f"{bias}, no interval"
        unknown = f" ({100 * (1 - found['answered']):.0f} % without)" if found["answered"] < 1 else ""
        return f"{bias} ± {float(found['half']):.3f}, {100 * found['covered']:.0f} %{unknown}"

    return table(
        ["pair", "KL (nats)", *[f"{name}: bias ± half, covered" for name in names]],
        [
            (row["pair"], f"{row['kl']:.4g}", *[cell(row["methods"].get(name)) for name in names])
            for row in rows
        ],
    )


def summary(results: dict[str, Any]) -> str:
    """At most eight rows for README: digits first, then time."""
    names = ["kl_plugins", CHECKED, UNCHECKED, "NumPyro"]
    lines: list[tuple[str, ...]] = []
    for case in ("d = 8, KL ≈ 10⁻¹⁸", "d = 8, KL ≈ 0.1"):
        for row in results.get("accuracy", []):
            if row["case"] == case:
                error = {name: scientific(float(value)) for name, value in row["relative_error"].items()}
                cells = error["kl_plugins"], error["PyTorch"], error["PyTorch"], error["NumPyro"]
                lines.append((f"relative error, {case}", *cells))
    timed = [(row["case"], row["seconds"]) for row in results.get("speed", [])]
    timed += [(f"value and gradient, d = {row['d']}", row["seconds"]) for row in results.get("gradients", [])]
    for case, seconds in timed:
        if case in SUMMARY:
            lines.append((f"time, {SUMMARY[case]}", *[time(seconds.get(name)) for name in names]))
    commit = f"Commit `{results['commit'][:10]}`, one core of {results['machine']['cpu']}."
    return f"{table(['Gaussians', *names], lines)}\n\n{commit}"


SUMMARY = {
    "stats.norm, frozen": "frozen stats.norm",
    "dense, d = 10": "d = 10",
    "dense, d = 1,000": "d = 1,000",
    "diagonal, d = 1,000,000": "diagonal, d = 1,000,000",
    "100,000 dense, d = 5": "100,000 pairs, d = 5",
    "value and gradient, d = 100": "value and gradient, d = 100",
}
"""The rows of time in README, and what they are called there."""
