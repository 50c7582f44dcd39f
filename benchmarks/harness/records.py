"""Result files: CSV rows appended as they finish, provenance in comment lines."""

import csv
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import pandas as pd

# A case of these is measured again: what was missing may be there now.
MISSING = {"missing-data", "missing-package"}
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


def append(path, row, columns):
    """Append one row, in the order of the file's header, which a new file gets."""
    path = Path(path)
    header = checked_header(path, columns)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, header or columns, extrasaction="ignore")
        if not header:
            writer.writeheader()
        writer.writerow({key: plain(value) for key, value in row.items()})


def checked_header(path, columns):
    """Give the columns of a result file, which must hold rows of these columns."""
    header = _header(Path(path))
    if header and not set(header) >= set(columns):
        raise ValueError(
            f"{path} has the columns {', '.join(header)}, but rows of "
            f"{', '.join(columns)} are to be appended. Move it away, or name another "
            "--output."
        )
    return header


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


def read(path, key):
    """Read a result file; the last row of a key counts.

    Every row of a file without the column ``status`` is a good one.
    """
    path = Path(path)
    if not path.exists() or not _header(path):
        return pd.DataFrame(columns=[*key, "status"])
    frame = pd.read_csv(path, comment="#", keep_default_na=True)
    if "status" not in frame:
        frame["status"] = "ok"
    return frame.drop_duplicates(list(key), keep="last").reset_index(drop=True)


def missing(path, cases):
    """Give the cases that have no row in a result file yet."""
    path, names = Path(path), list(cases[0]) if cases else []
    if not path.exists():
        return cases
    with path.open(newline="") as file:
        lines = csv.DictReader(line for line in file if line[:1] != "#")
        known = {
            tuple(line[name] for name in names)
            for line in lines
            if line.get("status") not in MISSING
        }
    return [case for case in cases if _named(case) not in known]


def of_cases(frame, cases):
    """Give the rows of a frame that belong to cases, in the order of the frame."""
    if not cases:
        return frame[:0]
    wanted = {_named(case) for case in cases}
    named = frame[list(cases[0])].itertuples(index=False, name=None)
    is_wanted = [tuple(map(plain, values)) in wanted for values in named]
    return frame[is_wanted].reset_index(drop=True)


def line(row, columns):
    """Render a row as one line, without what is empty."""
    cells = (f"{name} {plain(row[name])}" for name in columns if name in row)
    return "  ".join(cell for cell in cells if not cell.endswith(" "))


def _named(case):
    return tuple(map(plain, case.values()))


def _header(path):
    """Give the columns of a result file; none where it has no rows yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return next(csv.reader(text for text in file if text[:1] != "#"), [])


def plain(value):
    """Write a value as the result file has it."""
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
