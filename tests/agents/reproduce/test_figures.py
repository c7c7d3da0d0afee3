"""Figures: well-formed, told in words, and true to scale."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from asl_env.agents.reproduce.figures import Curve, draw

RISING = Curve("asl", [10, 100, 1000], [0.1, 0.2, 0.3], [0.08, 0.15, 0.28], [0.12, 0.22, 0.33])
FLAT = Curve("r<zero>", [10, 100, 1000], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1])


def marks(drawing):
    return [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', drawing)]


def test_a_drawing_is_one_document_without_scripts_or_links():
    drawing = draw("True & judged", [RISING, FLAT], x_name="tasks", log=True)
    root = ET.fromstring(drawing)
    assert root.get("role") == "img"
    assert not re.search(r"<script|href|url\(", drawing)
    assert "r<zero>" in "".join(root.itertext())


def test_its_first_and_last_numbers_are_told():
    told = ET.fromstring(draw("t", [RISING], x_name="tasks", log=True)).find("{*}desc").text
    assert told == "asl: 0.100 at tasks 10, 0.300 at tasks 1000."


@pytest.mark.parametrize(("log", "share"), [(True, 1 / 2), (False, 1 / 11)])
def test_the_axis_is_logarithmic_where_asked(log, share):
    left, middle, right = marks(draw("t", [RISING], x_name="tasks", log=log))
    assert (middle - left) / (right - left) == pytest.approx(share, abs=0.002)


def test_names_of_curves_that_end_together_do_not_overlap():
    drawing = draw("t", [FLAT, FLAT, FLAT], x_name="tasks")
    ys = sorted(float(y) for y in re.findall(r'class="name" x="\d+" y="([\d.]+)"', drawing))
    assert min(b - a for a, b in pairwise(ys)) >= 15
