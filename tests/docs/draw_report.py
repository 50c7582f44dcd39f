"""Draw docs/_static/report.png, a report: python -m tests.docs.draw_report."""

import tempfile
from pathlib import Path

from sklearn.datasets import load_diabetes

from skncae import NCAEDetector
from tests.browser import open_browser

PICTURE = Path(__file__).parents[2] / "docs" / "_static" / "report.png"


def diabetes():
    """Return the frame of the README, with two mistakes."""
    frame = load_diabetes(as_frame=True, scaled=False).data
    frame.loc[7, "bmi"] = 262.0
    frame.loc[300, "bp"] = 930.0
    return frame


def main():
    """Fit, write the report, and take its picture."""
    frame = diabetes()
    detector = NCAEDetector(contamination=0.02, random_state=0).fit(frame)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        detector.report(frame, n=6).to_html(page)
        browser = open_browser(1000, 700)
        browser.get(page.as_uri())
        browser.save_screenshot(str(PICTURE))
        browser.quit()


if __name__ == "__main__":
    main()
