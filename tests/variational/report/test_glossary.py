"""The pages that explain reports explain every sentence, line, column and label that a report can have."""

from __future__ import annotations

import re
from pathlib import Path

import pymc as pm
import pytest

from kl_plugins.variational import diagnose
from kl_plugins.variational.optimum.reasons import REMEDIES, DistanceText, Reason, Whereabouts
from kl_plugins.variational.report import certificate, diagnosis
from kl_plugins.variational.report.verdict import Level
from kl_plugins.variational.report.wording import Advice, CertificateText, Conclusion, Finding, PlotText

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
OUTSIDE = (Whereabouts.OUTSIDE_AT_POINT, Whereabouts.OUTSIDE_AT_DRAWS)
VERDICT, CERTIFICATE = "read_a_verdict.md", "read_a_certificate.md"


def explained(page):
    """What the page says in letters of code, with … for every detail."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def with_dots(text):
    return re.sub(r"\{[^}]*\}", "…", text)


def cases(*enumerations, page):
    return [pytest.param(with_dots(one.value), page, id=str(one)) for kind in enumerations for one in kind]


@pytest.mark.parametrize(
    ("text", "page"),
    [
        *cases(Finding, Advice, PlotText, OUTSIDE, page=VERDICT),
        *cases(CertificateText, DistanceText, Reason, Whereabouts, page=CERTIFICATE),
    ],
)
def test_every_sentence_is_explained(text, page):
    assert " ".join(text.split()) in explained(page)


@pytest.mark.parametrize("conclusion", Conclusion)
def test_every_first_line_is_explained(conclusion):
    first_lines = [f"{level.headline}: {with_dots(conclusion.value)}" for level in Level]
    assert set(first_lines) & set(explained(VERDICT))


def test_every_line_of_a_report_is_explained():
    lines = {*diagnosis.LABELS.values(), diagnosis.UNITS, diagnosis.EFFECTIVE, diagnosis.NO_BOUNDS}
    lines |= {diagnosis.GAINED, diagnosis.WITHOUT_REFERENCE, diagnosis.COORDINATES, diagnosis.ELEMENTS}
    assert lines <= set(explained(VERDICT))


def test_every_line_of_a_certificate_is_explained():
    lines = {certificate.AWAY, certificate.ERROR, certificate.TOLERANCE, certificate.DRAWS}
    lines |= {certificate.STARTS, certificate.EVALUATIONS, certificate.SECONDS, certificate.OTHERS}
    assert lines | {certificate.HISTORY, *certificate.PAIRS} <= set(explained(CERTIFICATE))


def test_what_is_printed_is_what_is_explained():
    """No line of a report comes from elsewhere than where the tests above look."""
    with pm.Model() as model:
        pm.Normal("x", [0.0, 1.0], 1.0, shape=2)
    found = diagnose(([0.0, 0.9], [0.8, 1.0]), model=model, draws=3_000, random_seed=1, progressbar=False)
    known = explained(VERDICT)
    sentences = [with_dots(one.value) for kind in (Finding, Advice) for one in kind]
    patterns = [re.escape(text).replace("…", ".*") for text in sentences]
    assert all(any(re.fullmatch(one, reason) for one in patterns) for reason in found.verdict.reasons)
    numbers = repr(found).split("\n\n")[1].splitlines()
    assert numbers[0] in known
    assert {line[:44].strip() for line in numbers[1:]} <= set(known)
    assert set(found.summary().columns) <= set(known)
    pieces = {
        piece for name in found.summary("constrained") for piece in re.findall("^[a-z]+_|_error$", name)
    }
    assert {piece.replace("_", "_…") if piece.endswith("_") else piece for piece in pieces} <= set(known)


def test_every_remedy_is_there():
    assert set(REMEDIES) == set(Reason)
    text = " ".join((HOW_TO / CERTIFICATE).read_text(encoding="utf-8").split())
    assert [remedy for remedy in REMEDIES.values() if f"*{remedy}.*" not in text] == []
