"""The report in a real browser: Chromium, driven by selenium.

Skipped where there is none: ``apt-get install chromium chromium-driver``.
"""

import numpy as np
import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from skncae import NCAEDetector
from tests.browser import CHROMIUM, DRIVER, FLAGS, needs_browser

pytestmark = [
    needs_browser,
    # What selenium leaves open is none of ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

EVIL = "<script>document.title = 'owned'</script>, \"x\""
BROKEN = 12
LONG = "Customer_lifetime_value_EUR_2023"
RIGHT_TO_LEFT = "\u202eevil"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the report of a table with rows that are far out, as a file."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 30))
    frame = pd.DataFrame(rows.round(3), columns=[f"column {i}" for i in range(30)])
    frame.iloc[:BROKEN, 7] += 90
    frame["constant"] = 1.0
    frame = frame.rename(columns={"column 3": "<b>bold</b>", "column 5": LONG})
    frame.index = [f"row {i}" for i in range(399)] + [EVIL]
    frame.loc[EVIL, "column 9"] = 500.0
    small = NCAEDetector(0.02, n_estimators=2, max_iter=20, random_state=0)
    path = tmp_path_factory.mktemp("page") / "report.html"
    small.fit(frame).report(frame).to_html(path)
    return path.as_uri()


@pytest.fixture(scope="module")
def odd_page(tmp_path_factory):
    """Return the report of rows that share a name, and of text from right to left."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 3)).round(2), columns=list("abc"))
    frame.iloc[:4] += 50
    frame["שם"] = np.where(np.arange(80) == 5, RIGHT_TO_LEFT, "usual")
    frame.index = ["same"] * 3 + [f"r{i}" for i in range(3, 80)]
    # Of rows that are not shown a name is known too.
    frame = frame.rename(index={"r70": "r3"})
    small = NCAEDetector(0.1, n_estimators=2, max_iter=20, random_state=0)
    path = tmp_path_factory.mktemp("odd") / "report.html"
    small.fit(frame).report(frame, n=6).to_html(path)
    return path.as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Start one browser for all tests, with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium, page):
    """Open the page anew, as wide as a desk and in the light."""
    show(chromium, 1200)
    chromium.get(page)
    chromium.get_log("browser")
    return chromium


def show(browser, width, scheme="light"):
    """Set the width of the window and what its reader prefers."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def labels(browser):
    """Return the labels of the rows that are shown, in their order."""
    # All at once: asked one by one, the page may be laid out anew in between.
    return browser.execute_script(
        "return [...document.querySelectorAll('#rows > tbody > tr')]"
        ".filter(row => row.checkVisibility()).map(row => row.dataset.label)"
    )


def text(browser, identity):
    return browser.find_element(By.ID, identity).text


def head(browser, key):
    return browser.find_element(By.CSS_SELECTOR, f"th[data-key={key}]")


# --- opens -----------------------------------------------------------------------


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_opens_without_a_message_on_the_console(browser, page, width, scheme):
    show(browser, width, scheme)
    browser.get(page)
    assert len(labels(browser)) == 20
    assert browser.get_log("browser") == []
    script = "return performance.getEntriesByType('resource').map(e => e.name)"
    assert not [n for n in browser.execute_script(script) if not n.startswith("data:")]


def test_script_in_a_cell_is_text(browser):
    assert EVIL in labels(browser)
    assert browser.title.startswith("skncae:")
    assert "owned" not in browser.title
    assert not browser.find_elements(By.CSS_SELECTOR, "b")


# --- sorts, filters --------------------------------------------------------------


def test_rows_are_sorted_by_a_column_and_back(browser):
    ranked = labels(browser)
    rank = head(browser, "rank")
    assert rank.get_attribute("aria-sort") == "ascending"
    rank.find_element(By.TAG_NAME, "button").click()
    assert labels(browser) == ranked[::-1]
    assert rank.get_attribute("aria-sort") == "descending"
    head(browser, "label").find_element(By.TAG_NAME, "button").click()
    assert rank.get_attribute("aria-sort") is None
    assert sorted(labels(browser)) == sorted(ranked)
    script = (
        "return arguments[0].every((x, i, a) => !i || a[i - 1].localeCompare(x) <= 0)"
    )
    assert browser.execute_script(script, labels(browser))


def test_keyboard_is_enough_to_sort_search_and_answer(browser):
    ranked = labels(browser)
    browser.find_element(By.ID, "search").send_keys("row 3", Keys.TAB)
    for _ in range(12):
        active = browser.switch_to.active_element
        if active.text.startswith("Rank"):
            break
        active.send_keys(Keys.TAB)
    outline = active.value_of_css_property("outline-style")
    assert outline != "none"
    active.send_keys(Keys.ENTER)
    assert head(browser, "rank").get_attribute("aria-sort") == "descending"
    shown = labels(browser)
    assert shown and set(shown) < set(ranked)
    button = browser.find_element(By.CSS_SELECTOR, "tr:not([hidden]) [data-answer]")
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-pressed") == "true"


def test_search_shows_the_rows_that_hold_all_words(browser):
    search = browser.find_element(By.ID, "search")
    search.send_keys("ROW")
    assert len(labels(browser)) == 19
    search.clear()
    search.send_keys("nowhere to be found")
    assert labels(browser) == [] and text(browser, "matches") == "0 of 20 rows"
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.DELETE)
    assert len(labels(browser)) == 20 and text(browser, "matches") == ""


def test_whole_row_opens_on_demand(browser):
    details = browser.find_element(By.TAG_NAME, "details")
    table = details.find_element(By.TAG_NAME, "table")
    assert not table.is_displayed()
    details.find_element(By.TAG_NAME, "summary").click()
    assert table.is_displayed()
    assert len(table.find_elements(By.CSS_SELECTOR, "th[scope=row]")) == 31


# --- the threshold ---------------------------------------------------------------


def test_slider_moves_the_threshold_and_counts_what_it_flags(browser):
    slider = browser.find_element(By.ID, "threshold")
    assert "are flagged" in text(browser, "flagged")
    at = float(browser.find_element(By.ID, "cut").get_attribute("x1"))
    slider.send_keys(Keys.END)
    assert text(browser, "flagged").startswith("0 rows")
    assert "detector.set_threshold(value=" in text(browser, "flagged")
    assert float(browser.find_element(By.ID, "cut").get_attribute("x1")) > at
    marks = browser.find_elements(By.CSS_SELECTOR, "#rows .mark")
    assert not any(mark.text for mark in marks)
    slider.send_keys(Keys.HOME)
    assert all(mark.text for mark in marks)
    # Fewer than half of the rows are outliers.
    assert text(browser, "flagged").startswith("199 rows")
    script = "return document.querySelectorAll('path.place.inlier').length"
    assert browser.execute_script(script) == 0


# --- answers ---------------------------------------------------------------------


def test_answers_are_saved_as_a_table_that_refine_reads(browser, tmp_path):
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(tmp_path)},
    )
    save = browser.find_element(By.ID, "save")
    assert not save.is_enabled()
    rows = browser.find_elements(By.CSS_SELECTOR, "#rows > tbody > tr")
    evil = next(r for r in rows if r.get_attribute("data-label") == EVIL)
    other = next(r for r in rows if r is not evil)
    outlier, normal = evil.find_elements(By.CSS_SELECTOR, "[data-answer]")
    normal.click()
    outlier.click()  # The last one counts.
    other.find_elements(By.CSS_SELECTOR, "[data-answer]")[1].click()
    third = rows[-1].find_element(By.CSS_SELECTOR, "[data-answer]")
    third.click()
    third.click()  # Taken back.
    assert text(browser, "answered") == "2 answered"
    save.click()
    file = tmp_path / "answers.csv"
    WebDriverWait(browser, 20).until(lambda _: file.exists())
    answers = pd.read_csv(file, index_col="index").label
    assert answers.to_dict() == {EVIL: -1, other.get_attribute("data-label"): 1}


def test_row_that_shares_its_name_cannot_be_answered_and_says_why(browser, odd_page):
    browser.get(odd_page)
    assert "r70" not in labels(browser)
    n_shared = 0
    for row in browser.find_elements(By.CSS_SELECTOR, "#rows > tbody > tr"):
        shares = row.get_attribute("data-label") in ("same", "r3")
        n_shared += shares
        buttons = row.find_elements(By.CSS_SELECTOR, "[data-answer]")
        assert [button.is_enabled() for button in buttons] == [not shares] * 2
        why = row.find_element(By.CSS_SELECTOR, ".answers").get_attribute("title")
        assert ("have this name" in why or "has this name" in why) == shares
    assert n_shared == 4
    assert text(browser, "namesakes").startswith("4 of the 6 rows below cannot")
    browser.find_elements(By.CSS_SELECTOR, "[data-answer]:enabled")[0].click()
    assert text(browser, "answered") == "1 answered"


def test_page_of_rows_with_names_of_their_own_speaks_of_no_shared_names(browser):
    assert not browser.find_elements(By.ID, "namesakes")
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-answer]:disabled")


# --- everywhere ------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_page_does_not_scroll_sideways(browser, width):
    show(browser, width)
    open_rows(browser)
    script = "return document.documentElement.scrollWidth"
    assert browser.execute_script(script) <= width


def test_what_is_said_of_a_column_is_not_broken_within_a_word(browser):
    show(browser, 320)
    script = """
        return [...document.querySelectorAll('.state')].flatMap(cell => {
            const words = cell.textContent.split(' ');
            const range = document.createRange();
            let start = 0;
            return words.map(word => {
                range.setStart(cell.firstChild, start);
                range.setEnd(cell.firstChild, start += word.length);
                start += 1;
                return [word, range.getClientRects().length];
            });
        });
    """
    found = browser.execute_script(script)
    assert found and [word for word, lines in found if lines > 1] == []


def test_heads_of_the_columns_stand_on_one_line(browser):
    script = """
        const heads = document.querySelectorAll('th[data-key], th[data-key] ~ th');
        return [...heads].map(head => {
            const range = document.createRange();
            range.selectNodeContents(head.querySelector('button') ?? head);
            return range.getBoundingClientRect().bottom;
        });
    """
    bottoms = browser.execute_script(script)
    assert len(bottoms) >= 5 and max(bottoms) - min(bottoms) <= 1


@pytest.mark.parametrize("width", [320, 390, 821, 1200])
def test_whole_row_is_on_the_screen_with_numbers_in_one_piece(browser, width):
    show(browser, width)
    open_rows(browser)
    script = """
        return [...document.querySelectorAll('details tbody :is(th, td)')].map(cell => {
            const text = cell.querySelector('bdi') ?? cell;
            return [cell.textContent, text.getBoundingClientRect().right,
                    text.getClientRects().length];
        });
    """
    cells = browser.execute_script(script)
    assert LONG in [said for said, *_ in cells]
    assert max(right for _, right, _ in cells) <= width
    broken = [said for said, _, lines in cells if lines > 1 and is_number(said)]
    assert broken == []


def test_text_from_right_to_left_leaves_the_rest_of_the_sentence(browser, odd_page):
    browser.get(odd_page)
    script = """
        const places = (element, text) => {
            const node = element.firstChild;
            const start = node.data.indexOf(text), range = document.createRange();
            return [...text].map((_, i) => {
                range.setStart(node, start + i);
                range.setEnd(node, start + i + 1);
                return range.getBoundingClientRect().left;
            });
        };
        const said = [...document.querySelectorAll('.sentence')]
            .find(element => element.textContent.includes('evil'));
        return [places(said, 'expected'), places(said, 'evil')];
    """
    rest, turned = browser.execute_script(script)
    assert rest == sorted(rest)
    assert turned == sorted(turned, reverse=True)
    assert browser.find_elements(By.XPATH, "//details//td/bdi[contains(., 'evil')]")


def test_narrow_page_keeps_sorting_answers_and_sentences(browser):
    show(browser, 390)
    ranked = labels(browser)
    browser.find_element(By.ID, "turn").click()
    assert labels(browser) == ranked[::-1]
    button = browser.find_element(By.CSS_SELECTOR, "[data-answer]")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert button.size["height"] >= 32
    why = browser.find_element(By.CSS_SELECTOR, ".why")
    assert why.size["width"] > 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_paper(browser, page, scheme):
    show(browser, 1200, scheme)
    browser.get(page)
    script = """
        const style = getComputedStyle(document.body);
        const soft = getComputedStyle(document.querySelector('.soft'));
        const mark = getComputedStyle(document.querySelector('.mark'));
        return [style.backgroundColor, style.color, soft.color, mark.color];
    """
    paper, *inks = (colour(value) for value in browser.execute_script(script))
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    # The contrast of WCAG AA.
    assert min(contrast(paper, ink) for ink in inks) >= 4.5


def test_page_prints_with_all_rows_and_in_the_light(browser, page):
    show(browser, 1200, "dark")
    browser.get(page)
    document = browser.print_page()
    assert len(document) > 20_000  # In base64.
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    style = "return getComputedStyle(document.body).backgroundColor"
    assert luminance(colour(browser.execute_script(style))) > 0.9
    assert not browser.find_element(By.ID, "search").is_displayed()
    assert len(labels(browser)) == 20
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts_nothing_is_shown_that_does_nothing(browser, page):
    disable = "Emulation.setScriptExecutionDisabled"
    browser.execute_cdp_cmd(disable, {"value": True})
    browser.get(page)
    browser.execute_cdp_cmd(disable, {"value": False})
    for found in ("#search", "#save", "#threshold", "[data-answer]"):
        assert not browser.find_element(By.CSS_SELECTOR, found).is_displayed()
    assert len(labels(browser)) == 20 and "flagged" in text(browser, "flagged")
    browser.find_element(By.TAG_NAME, "summary").click()
    assert browser.find_element(By.CSS_SELECTOR, "details table").is_displayed()


def open_rows(browser):
    """Open all that a click opens."""
    script = "document.querySelectorAll('details').forEach(d => d.open = true)"
    browser.execute_script(script)


def is_number(said):
    try:
        return np.isfinite(float(said))
    except ValueError:
        return False


def colour(css):
    """Red, green and blue between 0 and 1."""
    numbers = css[css.index("(") + 1 : -1].split(",")[:3]
    return [float(number) / 255 for number in numbers]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)
