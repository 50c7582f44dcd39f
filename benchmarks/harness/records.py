"""Result files: CSV rows appended as they finish, provenance in comment lines."""

import csv
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import pandas as pd

COLUMNS = (
    "dataset",
    "n",
    "d",
    "outlier_share",
    "detector",
    "protocol",
    "rows",
    "seed",
    "status",
    "auroc",
    "ap",
    "fit_s",
    "fit_cpu_s",
    "score_s",
    "peak_mb",
    "note",
)
KEY = ("dataset", "detector", "protocol", "rows", "seed")
PACKAGES = (
    "skncae",
    "torch",
    "scikit-learn",
    "numpy",
    "scipy",
    "pyod",
    "deepod",
    "pythresh",
)


def provenance(**facts):
    """Say in one line which versions ran, where, and with what."""
    parts = [_version(name) for name in PACKAGES]
    parts += [f"python {platform.python_version()}", f"{os.cpu_count()} x cpu"]
    parts += ["1 thread a fit", f"commit {_commit()}"]
    parts += [f"{name} {value}" for name, value in facts.items()]
    return " | ".join(part for part in parts if part)


def append(path, row, columns=COLUMNS):
    """Append one row, after the names of the columns if the file is new."""
    path = Path(path)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if not _has_header(path, columns):
            writer.writeheader()
        writer.writerow({key: _plain(value) for key, value in row.items()})


def append_provenance(path, line):
    """Append a provenance line unless the last one says the same."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = []
    if path.exists():
        known = [text for text in path.read_text().splitlines() if text[:2] == "# "]
    if not known or known[-1] != f"# {line}":
        with path.open("a") as file:
            file.write(f"# {line}\n")


def read(path, key=KEY):
    """Read a result file; the last row of a key counts."""
    path = Path(path)
    if not path.exists() or not _has_rows(path):
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.read_csv(path, comment="#", keep_default_na=True)
    return frame.drop_duplicates(list(key), keep="last").reset_index(drop=True)


def _has_rows(path):
    return any(line[:1] != "#" for line in path.read_text().splitlines() if line)


def _has_header(path, columns):
    first = ",".join(columns)
    with path.open() as file:
        return any(line.rstrip() == first for line in file)


def _plain(value):
    if isinstance(value, float):
        return f"{value:.6g}"
    # A note is one line, and '#' would start a comment for the reader.
    return " ".join(str(value).replace("#", "no. ").split())[:300]


def _version(name):
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def _commit():
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
