"""The paper's Table 2 beside ours.

`paper_images.csv` quotes the paper. Ours comes from the result file of
the suite images, so this is run again whenever that changes.
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.harness import records
from benchmarks.harness.printing import markdown
from benchmarks.suites import images

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
TITLES = {
    "mnist": "MNIST",
    "fmnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "usps": "USPS",
    "digits": "scikit-learn's digits",
}

# What the paper calls our detectors; those that it has and we have not are its own.
PAPER_NAMES = {
    "NCAE": "NCAE",
    "OCSVM": "OC-SVM",
    "IForest": "IF",
    "KDE": "KDE",
    "CAE": "CAE",
    "DeepSVDD": "Deep SVDD",
    "DAGMM": "DAGMM",
    "LatentOut": "LatentOut",
    "DeepSAD": "Deep SAD",
    "Classifier": "Classification",
}
WITH_LABELS = ("DeepSAD", "Classifier", "SSAD", "SS-DGM")


def tables(frame, quoted):
    """Mean and deviation of AUROC over classes, as Markdown.

    Parameters
    ----------
    frame : DataFrame
        Rows of one budget in a result file of the suite images.
    quoted : DataFrame
        Those of `paper_images.csv`.

    Returns
    -------
    text : str
        A table for each data set, best at the largest rho first.
    """
    good = frame[frame.status == "ok"]
    parts = []
    for dataset, title in TITLES.items():
        ours = good[good.dataset == dataset]
        if len(ours):
            claims = quoted[quoted.dataset == dataset]
            parts.append(f"**{title}**\n\n{_table(ours, claims)}")
    return "\n\n".join(parts) + "\n"


def by_class(part):
    """AUROC of each class in percent, the mean over seeds."""
    return 100 * part.groupby("normal").auroc.mean()


def _table(ours, claims):
    shares = sorted(ours.rho.unique())
    rank = {
        name: by_class(part[part.rho == part.rho.max()]).mean()
        for name, part in ours.groupby("detector")
    }
    rows = []
    for name in sorted(rank, key=rank.get, reverse=True):
        part = ours[ours.detector == name]
        cells = [_cell(ours, part, rho) for rho in shares]
        rows.append([_label(name), *cells, *_quoted(claims, PAPER_NAMES.get(name))])
    for method in ("SSAD", "SS-DGM") if len(claims) else ():
        blank = [""] * len(shares)
        rows.append([_label(method), *blank, *_quoted(claims, method)])
    paper = [f"*paper, {rho:g}*" for rho in sorted(claims.rho.unique())]
    return markdown(["detector", *(f"rho {rho:g}" for rho in shares), *paper], rows)


def _label(name):
    label = f"**`{name}`**" if name == "NCAE" else f"`{name}`"
    return f"{label} (labels)" if name in WITH_LABELS else label


def _cell(ours, part, rho):
    """Mean and deviation over classes; how many, where some are missing."""
    values = by_class(part[part.rho == rho])
    if values.empty:
        return ""
    n_classes = ours[ours.rho == rho].normal.nunique()
    note = "" if len(values) == n_classes else f" ({len(values)} of {n_classes})"
    return f"{values.mean():.1f} ± {values.std(ddof=0):.1f}{note}"


def _quoted(claims, method):
    """Cells of the paper's method, empty ones where it has none of that name."""
    means = claims.pivot(index="method", columns="rho", values="mean")
    means = means.reindex([method]).iloc[0]
    return [f"*{mean:.1f}*" if mean > 0 else "" for mean in means]


def main(arguments=None):
    """Write the tables beside the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report images")
    parser.add_argument("--results", default=RESULTS / "images.csv", type=Path)
    parser.add_argument("--budget", choices=images.BUDGETS, default="cpu")
    options = parser.parse_args(arguments)
    frame = records.read(options.results, images.KEY)
    quoted = pd.read_csv(HERE / "paper_images.csv")
    text = tables(frame[frame.budget == options.budget], quoted)
    options.results.with_suffix(".md").write_text(text)
    print(text)
