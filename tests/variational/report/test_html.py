"""Certificates and diagnoses in notebooks: what is shown is what is printed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pymc as pm
import pytest

from kl_plugins.html import GREEN, RED
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.report import certificate as lines
from kl_plugins.variational.report.wording import Advice
from pages import texts_of


@pytest.fixture(scope="module")
def fitted():
    with pm.Model(coords={"site": ["<north>", "south"]}) as model:
        pm.HalfNormal("scale", dims="site")
        return model, fit(random_seed=1, progressbar=False)


def rows(page):
    """Cells after cells."""
    texts = texts_of(page)
    return dict(pairwise(texts))


def test_a_certificate_claims_a_distance_only_where_it_certifies_it(fitted):
    certificate = fitted[1].certificate
    page = certificate._repr_html_()
    assert (texts_of(page)[0], GREEN in page) == ("Certified", True)
    assert lines.ERROR not in rows(page)
    assert certificate.jeffreys <= float(rows(page)[lines.AWAY].split()[0])
    refused = replace(certificate, _not_found="jumps <here>", other_optima=(-1.5,))
    page = refused._repr_html_()
    assert (texts_of(page)[0], RED in page) == ("Not certified", True)
    assert "jumps <here>" in texts_of(page)[1]
    assert lines.AWAY not in rows(page)
    assert rows(page)[lines.OTHERS] == "-1.5 nats"
    assert rows(replace(refused, jeffreys=np.inf)._repr_html_())[lines.ERROR] == "not known"


@pytest.mark.slow
def test_a_diagnosis_shows_all_that_it_prints(fitted):
    model, approximation = fitted
    found = diagnose(approximation, model=model, draws=3_000, random_seed=1, progressbar=False)
    for one in (found, replace(found, verdict=replace(found.verdict, advice=Advice.REPARAMETRISE.value))):
        texts = texts_of(one._repr_html_())
        shown = " ".join(" ".join(texts).split())
        for line in repr(one).splitlines():
            for piece in (line.removeprefix("- ")[:44].strip(), line[44:].strip()):
                assert piece in shown
        assert {"scale_log__[<north>]", "scale[<north>]"} <= set(texts)
