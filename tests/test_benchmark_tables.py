"""The tables of README and docs are those of results.json, which names the commit of each benchmark."""

import re

import pytest

from benchmarks import record
from benchmarks.__main__ import BENCHMARKS, start
from benchmarks.common import ROOT
from benchmarks.render import MARKED, TABLES, WHOLE, content, pages, rendered, tables_of

RESULTS = record.read()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_pages_are_rendered(page):
    text = page.read_text(encoding="utf-8")
    assert rendered(text, RESULTS) == text, "python -m benchmarks --render"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_marker_has_its_end_and_a_table(page):
    text = page.read_text(encoding="utf-8")
    names = [found["name"].strip() for found in MARKED.finditer(text)]
    assert 2 * len(names) == text.count("<!-- benchmarks: ")
    assert set(names) <= TABLES.keys() | WHOLE.keys()


def test_every_table_is_shown_somewhere():
    shown = {found["name"].strip() for page in pages() for found in MARKED.finditer(page.read_text("utf-8"))}
    assert TABLES.keys() - shown == set()


def test_the_results_name_their_commits():
    assert RESULTS["later"].keys() <= BENCHMARKS.keys()
    assert all(re.fullmatch("[0-9a-f]{40}", record.commit_of(name, RESULTS)) for name in BENCHMARKS)
    assert RESULTS["dirty"] is False
    assert RESULTS["machine"]["cores"] == 1


def test_every_benchmark_was_run_or_says_why_not():
    for name in BENCHMARKS:
        assert (name in RESULTS) != (name in RESULTS["not_run"])
    # Nothing but the absence of the reference posteriors is a reason, and being newer than the results.
    reasons = RESULTS["not_run"].values()
    assert all("posteriordb" in reason or reason == "added after this run" for reason in reasons)


def test_rows_of_another_commit_keep_its_name(monkeypatch):
    today = {key: RESULTS[key] for key in ("machine", "python", "libraries")}
    today |= {"date": "today", "dirty": False, "commit": "0" * 40, "later": {}}
    monkeypatch.setattr(record, "header", lambda: today)
    found = start(["speed"])
    assert record.commit_of("speed", found) == "0" * 40
    assert record.commit_of("accuracy", found) == record.commit_of("accuracy", RESULTS)
    assert "`0000000000`: " in content("measured", found)


def test_rows_of_another_machine_are_refused(monkeypatch):
    today = {"machine": {}, "python": RESULTS["python"], "libraries": {}, "commit": "0" * 40}
    monkeypatch.setattr(record, "header", lambda: today)
    with pytest.raises(SystemExit, match="another machine and other libraries: run all"):
        start(["speed"])


def test_what_was_not_run_is_said():
    missing = {key: value for key, value in RESULTS.items() if key != "verdicts"}
    missing["not_run"] = {"verdicts": "no draws"}
    assert content("verdicts", missing) == "Not run: no draws."
    assert not tables_of({})


def test_other_numbers_are_noticed():
    page = (ROOT / "docs" / "reference" / "benchmarks.md").read_text(encoding="utf-8")
    changed = RESULTS | {"commit": "0" * 40}
    assert rendered(page, changed) != page


def test_the_summary_is_short():
    assert len([line for line in WHOLE[""](RESULTS).splitlines() if line.startswith("|")]) <= 2 + 8
