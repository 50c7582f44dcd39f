"""The built pages in a browser: none scrolls sideways, no code is clipped.

`make docs-check` builds the pages and runs this; DOCS_HTML names the folder with them.
"""

import os
from pathlib import Path

import pytest

from tests.browser import needs_browser, open_browser

NARROW, WIDE = 390, 1300
HTML = Path(os.environ.get("DOCS_HTML", "")).absolute()
PAGES = sorted(HTML.rglob("*.html")) if "DOCS_HTML" in os.environ else []

pytestmark = [
    needs_browser,
    # What selenium leaves open is none of ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
needs_pages = pytest.mark.skipif(
    "DOCS_HTML" not in os.environ, reason="no built pages: make docs-check"
)

# Returns how far the page scrolls, and what sticks out of it.
SIDEWAYS = """
const beyond = document.documentElement.scrollWidth - innerWidth;
const outside = [...document.querySelectorAll("body *")].filter(element =>
  element.getBoundingClientRect().right > innerWidth + 1
  && !element.closest("pre, table"));
return beyond <= 1 ? null : [beyond, ...outside.slice(0, 3).map(element =>
  element.tagName + ": " + element.textContent.trim().slice(0, 40))];
"""
CLIPPED = """
return [...document.querySelectorAll("pre")].filter(element =>
  element.clientWidth && element.scrollWidth > element.clientWidth + 1
).map(element => element.textContent.trim().split("\\n")[0].slice(0, 60));
"""


@pytest.fixture(scope="module")
def browser():
    """Return a function that starts a browser of some width, once for each."""
    opened = {}

    def of_width(width):
        if width not in opened:
            opened[width] = open_browser(width)
        return opened[width]

    yield of_width
    for each in opened.values():
        each.quit()


def found(browser, pages, script):
    """Run a script on each page, and return what it finds, by page."""
    answers = {}
    for page in pages:
        browser.get(page.as_uri())
        answers[f"{page.parent.name}/{page.name}"] = browser.execute_script(script)
    return {name: answer for name, answer in answers.items() if answer}


def whole(report):
    """Return what was found as lines, which pytest shows in full."""
    return "\n".join(f"{name}: {answer}" for name, answer in report.items())


@needs_pages
def test_there_are_pages():
    names = {page.name for page in PAGES}
    assert {"index.html", "api.html", "new_rows.html", "thresholds.html"} <= names


@needs_pages
def test_no_page_scrolls_sideways_on_a_telephone(browser):
    assert whole(found(browser(NARROW), PAGES, SIDEWAYS)) == ""


@needs_pages
def test_no_line_of_code_is_clipped_on_a_screen(browser):
    assert whole(found(browser(WIDE), PAGES, CLIPPED)) == ""


def test_what_is_too_wide_is_found(browser, tmp_path):
    page = tmp_path / "wide.html"
    page.write_text(
        "<meta name=viewport content='width=device-width'><body>"
        "<p style='width: 700px'>too wide</p>"
        f"<pre style='overflow-x: auto'>{'x' * 400}</pre>"
    )
    sideways = found(browser(NARROW), [page], SIDEWAYS)
    assert "P: too wide" in whole(sideways)
    clipped = found(browser(WIDE), [page], CLIPPED)
    assert list(clipped.values()) == [["x" * 60]]
