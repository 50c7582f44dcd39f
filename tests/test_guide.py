"""The code of every page of the guide runs, and prints what its comments say."""

import doctest
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[1] / "docs" / "guide").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# print(labels[:3])  # [-1 -1 -1]
PRINTED = re.compile(r"^(\s*)print\((.*)\)  # (.+)$", re.MULTILINE)


def check_printed(expected, *values):
    """Compare what a line prints with its comment, as a doctest would."""
    printed = " ".join(map(str, values))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    checker = doctest.OutputChecker()
    assert checker.check_output(f"{expected}\n", f"{printed}\n", flags), (
        f"prints {printed!r}, and the comment says {expected!r}"
    )


def with_checks(code):
    """Turn each line that prints, with a comment, into a check of the comment."""
    return PRINTED.sub(
        lambda line: f"{line[1]}check_printed({line[3]!r}, {line[2]})", code
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_the_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"check_printed": check_printed}
    text = page.read_text("utf-8")
    if "sklearn.callback" in text:
        pytest.importorskip("sklearn.callback", reason="of scikit-learn 1.9")
    for block in BLOCK.findall(text):
        exec(compile(with_checks(block), page.name, "exec"), namespace)


def test_comment_that_says_something_else_is_found():
    code = with_checks("print(1 + 1)  # 3\n")
    with pytest.raises(AssertionError, match="prints '2'"):
        exec(code, {"check_printed": check_printed})
