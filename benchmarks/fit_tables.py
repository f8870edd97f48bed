"""The tables of variational fits as Markdown, each from the rows of one benchmark."""

from __future__ import annotations

import statistics

from benchmarks.words import Rows, listed, scientific, table, time


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
            (
                row["target"],
                row["optimiser"],
                row["rate"],
                f"{row['jeffreys']:.4f}",
                f"{row['log_sd']:+.4f}".replace("-", "−"),
            )
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
        name = by if " after " in by else f"`{by}`"
        lines.append((name, *counts, *[time(median) for median in medians]))
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
        lines.append((fit, said, f"{same} of {len(mine)}", f"{alone} of {len(mine)}", time(seconds)))
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


def minibatches(rows: Rows) -> str:
    return table(
        ["what", "rows", "time", "evaluations", "extra memory, MiB", "from the best, nats"],
        [
            (
                row["what"],
                f"{row['rows']:,d}",
                time(row["seconds"]),
                f"{row['evaluations']:,d}",
                f"{row['extra_mib']:,.0f}",
                scientific(row["from_best"], 0),
            )
            for row in rows
        ],
    )


def minibatches_in_words(rows: Rows) -> str:
    """What the certificate claims beside the truth, and what it costs beside the other way."""
    own, full = rows
    return (
        f"The certificate takes {own['seconds'] / full['seconds']:.2f} of the time of the optimum of the "
        f"full data. It says that the fit is {own['claim']:.4g} nats from the best of its family, and it is "
        f"{own['true']:.4g}: the claim {'holds' if own['holds'] else 'does not hold'}."
    )


def trainer(rows: Rows) -> str:
    lines = []
    for model, guide in dict.fromkeys((row["model"], row["guide"]) for row in rows):
        mine = [row for row in rows if (row["model"], row["guide"]) == (model, guide)]
        claimed = [row for row in mine if row["claimed"]]
        figures = (
            len(mine),
            len(claimed),
            sum(row["true"] for row in claimed),
            f"{max(float(row['jeffreys']) for row in mine):.2g}",
            f"{statistics.median(row['steps'] for row in mine):,.0f}",
            f"{float(mine[0]['fixed_jeffreys']):.2g}",
            time(statistics.median(row["seconds"] for row in mine)),
        )
        lines.append((model, guide, *figures))
    columns = [
        "model",
        "guide",
        "fits",
        "claims",
        "of these true",
        "farthest, nats",
        "median steps",
        f"after {rows[0]['fixed_steps']:,d} steps, nats",
        "median time",
    ]
    return table(columns, lines, left=2)


def trainer_in_words(rows: Rows) -> str:
    """How many claims are true, and the steps that they saved beside the fixed number."""
    claimed = [row for row in rows if row["claimed"]]
    tolerance, fixed = rows[0]["tolerance"], rows[0]["fixed_steps"]
    true, saved = sum(row["true"] for row in claimed), sum(fixed - row["steps"] for row in claimed)
    reached = {(row["model"], row["guide"]): float(row["fixed_jeffreys"]) <= tolerance for row in rows}
    rest = {f"{row['model'].partition(',')[0]} ({row['guide']})" for row in rows if not row["claimed"]}
    return (
        f"{len(claimed)} of {len(rows)} fits are claimed to be within {tolerance:g} nats of the optimum, and "
        f"{true} of these claims are true. They take {saved:,d} fewer steps than as many fits of the fixed "
        f"number, after which {sum(reached.values())} of {len(reached)} fits are within the tolerance. Not "
        f"claimed of every seed: {listed(sorted(rest)) if rest else 'none'}."
    )


def linear_response(rows: Rows) -> str:
    def between(ends: list[float]) -> str:
        return " to ".join(f"{end:.2f}" for end in ends)

    columns = [
        "posterior",
        "d",
        "mean field",
        "corrected",
        "corrected, own scale",
        "error",
        "`diagnose`",
        "time",
    ]
    return table(
        columns,
        [
            (
                row["posterior"].partition("-")[0],
                row["d"],
                *[between(row[key]) for key in ("before", "after", "constrained")],
                f"{row['error']:.1%}",
                row["verdict"],
                time(row["seconds"]),
            )
            for row in rows
        ],
    )


def trusted(rows: Rows) -> str:
    """How many of the claims that the corrected sds can be trusted are true."""
    rows = [row for row in rows if row["verdict"] != "not asked"]
    claims = [row for row in rows if row["verdict"] == "trust"]
    true = sum(row["right"] for row in claims)
    missed = [row["posterior"] for row in rows if row["right"] and row["verdict"] != "trust"]
    rest = f"; it did not trust {listed(missed)}, where all are" if missed else ""
    return (
        f"`diagnose` trusts the corrected Gaussian in {len(claims)} of {len(rows)} posteriors, and in {true} "
        f"of these {len(claims)} all sds are within 10 % of the reference draws'{rest}."
    )


def large_models(rows: Rows) -> str:
    columns = [
        "model",
        "d",
        "method",
        "certified within",
        "truly",
        "evaluations",
        "each",
        "compilation",
        "`fit`",
        "`diagnose`",
        "verdict",
    ]
    return table(
        columns,
        [
            (
                row["model"],
                f"{row['d']:,d}",
                {"advi": "mean field", "fullrank_advi": "full rank"}[row["method"]],
                f"{float(row['claimed']):.2g}" if row["certified"] else "–",
                "–" if row["jeffreys"] is None else scientific(row["jeffreys"]),
                f"{row['evaluations']:,d}",
                *[time(row[key]) for key in ("evaluation", "compiling", "fitting", "diagnosing")],
                row["verdict"],
            )
            for row in rows
        ],
    )


def large_models_in_words(rows: Rows) -> str:
    """How many of the certificates are true."""
    certified = [row for row in rows if row["certified"]]
    judged = [row for row in certified if row["jeffreys"] is not None]
    true = sum(row["jeffreys"] <= row["tolerance"] for row in judged)
    slowest = max(max(row["fitting"], row["diagnosing"]) for row in rows)
    return (
        f"{len(certified)} of {len(rows)} fits are certified. The optimum of {len(judged)} is known, "
        f"and {true} are within {rows[0]['tolerance']:g} nats of it. The longest call took {time(slowest)}."
    )
