"""Pages that list things list all of them."""

import re
from pathlib import Path

import pytest

import skncae
from skncae import dask, metrics, plotting, pyod

DOCS = Path(__file__).parents[2] / "docs"


def test_every_decision_is_in_the_list():
    pages = {page.name for page in (DOCS / "decisions").glob("*.md")} - {"index.md"}
    index = (DOCS / "decisions/index.md").read_text("utf-8")
    listed = re.findall(r"\]\((\w+\.md)\)", index)
    assert set(listed) == pages, "docs/decisions/index.md lists each page once"


def public_names(module):
    """Return the classes and functions that a module defines, or says it has."""
    defined = [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and getattr(value, "__module__", None) == module.__name__
    ]
    return set(getattr(module, "__all__", defined))


@pytest.mark.parametrize("module", [skncae, dask, metrics, plotting, pyod])
def test_every_public_name_is_in_the_api(module):
    words = set(re.findall(r"\w+", (DOCS / "api.md").read_text("utf-8")))
    names = public_names(module)
    assert names and names <= words, names - words
