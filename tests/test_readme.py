"""The README's example does what the README says."""

import re
from pathlib import Path

import numpy as np
import pytest

from skncae import NCAEDetector

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def names():
    """Run the Python of the README, and return the names that it defines."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S
    )
    assert blocks, f"{README} has no ```python block"
    # The frame comes last in the text, since whoever reads it has one.
    blocks.sort(key=lambda block: "load_diabetes" not in block)
    namespace = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), namespace)
    return namespace


def test_readme_example_flags_the_planted_outliers(names):
    flagged = names["flagged"]
    assert len(flagged) == 20  # contamination * n_samples
    assert np.count_nonzero(flagged < 20) >= 15


def test_readme_example_scores_the_planted_outliers_as_less_normal(names):
    scores = names["scores"]
    assert scores.shape == (1000,)
    assert np.median(scores[:20]) < np.quantile(scores[20:], 0.05)


def test_readme_example_reconstructs_rows_in_units_of_x(names):
    X, expected = names["X"], names["expected"]
    assert expected.shape == X.shape
    error = np.median(np.abs(expected - X)[20:], axis=0)
    assert (error < X[20:].std(axis=0)).all()


def test_readme_shows_the_rows_that_are_printed(names):
    shown = re.search(r"^```text\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    frame = names["frame"]
    why = NCAEDetector(random_state=0).fit(frame).explain(frame).top(2).why

    # What is expected in place of a value differs with the BLAS.
    def values(lines):
        return [line.split(";")[0] for line in lines]

    assert (
        values(shown[1].splitlines()) == values(why) == ["bmi = 262.0", "bp = 930.00"]
    )
