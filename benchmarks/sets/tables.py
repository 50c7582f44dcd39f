"""The data sets: where they come from, what they must hash to, and `load`.

`registry.csv` has one row a set: its suite, its size, the public file that it comes
from with the SHA-256 of that file, and the SHA-256 of the same rows as an ``.npz``
with ``X`` and ``y``, which of ADBench is that file itself. `load` looks for that
``.npz`` in the folder that the environment variable ``SKNCAE_DATA`` names, and
downloads the public file when there is none. Both carry the same rows in the same
order, so a seed means the same rows either way.

=========  ================================================================
suite      sets
=========  ================================================================
odds       25 sets of ODDS ("all")
outside    the tabular sets of ADBench that are not in ODDS
loda       sets of the UCI repository as in [1]_: a file of normal rows, and
           others of outliers that are easy to very hard to find. Those are
           pooled, and as many are drawn as make up `OUTLIER_SHARE`
oddbench   200 real tables of OddBench [2]_, the development pool
           ("development"): defaults are chosen on these and on nothing else.
           Training and test rows are stacked, at most `POOL_ROWS` of them are
           drawn, and columns that are constant in those are dropped
=========  ================================================================

.. [1] Pevny (2016), "Loda: Lightweight on-line detector of anomalies".
.. [2] The folder benchmarks/oddbench of the repository psorus/Outformer. Taken were
   sets of 500 rows or more, 3 to 100 columns, 0.3 to 30 % outliers, and fewer than
   half duplicated rows.
"""

import csv
import difflib
import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Pinned commits, so that a checksum stays the checksum of that address.
SOURCES = {
    "adbench": (
        "https://raw.githubusercontent.com/Minqi824/ADBench/"
        "3dac8221081e190f157d78e93bfa8867f90d0965/adbench/datasets/Classical/"
    ),
    "pyod": (
        "https://raw.githubusercontent.com/yzhao062/pyod/"
        "34f7996effac700a5166d882d5e94c6e6078fae3/notebooks/data/"
    ),
    "uci": (
        "https://raw.githubusercontent.com/vitskvara/UCI/"
        "ef9bfb15f2ada7c90b810eb8c84c99110c688da5/loda/"
    ),
    "outformer": (
        "https://raw.githubusercontent.com/psorus/Outformer/"
        "99aebce03692d1a21a4e9ccaac097fe2cc73eceb/benchmarks/oddbench/"
    ),
}

# Of the rows of a set of the suite "loda".
OUTLIER_SHARE = 0.05

# Of a table of the suite "oddbench".
POOL_ROWS = 3_000

# Other words for suites.
ALIASES = {"all": "odds", "development": "oddbench"}

# The six sets of the paper's Tables 3 and 4.
SIX = ("cardio", "satellite", "thyroid", "satimage-2", "mammography", "shuttle")


class MissingDataError(ValueError):
    """The rows of a data set can neither be read nor downloaded."""


@dataclass(frozen=True)
class DataSet:
    """One row of the registry."""

    name: str
    suite: str
    n: int
    d: int
    outliers: int
    url: str
    sha256_original: str
    sha256_npz: str

    def originals(self):
        """Public files and their checksums; "{a,b}.txt" in a url stands for two."""
        head, _, rest = self.url.partition("{")
        names, _, tail = rest.partition("}")
        urls = [head + name + tail for name in names.split(",")]
        return zip(urls, self.sha256_original.split(), strict=True)


def read_registry():
    """Read the registry into a dictionary from name to `DataSet`."""
    with Path(__file__).with_name("registry.csv").open(newline="") as file:
        return {
            row["name"]: DataSet(
                name=row["name"],
                suite=row["suite"],
                n=int(row["n"]),
                d=int(row["d"]),
                outliers=int(row["outliers"]),
                url=SOURCES[row["source"]] + row["file"],
                sha256_original=row["sha256_original"],
                sha256_npz=row["sha256_npz"],
            )
            for row in csv.DictReader(file)
        }


REGISTRY = read_registry()


def names(choice="all"):
    """Turn ``"six"``, ``"all"``, another suite or names with commas into names.

    "all" are the sets of ODDS, "development" is another word for "oddbench".
    """
    if choice == "six":
        return list(SIX)
    suite = ALIASES.get(choice, choice)
    of_suite = [name for name, entry in REGISTRY.items() if entry.suite == suite]
    if of_suite:
        return of_suite
    chosen = [name.strip() for name in choice.split(",")]
    unknown = sorted(set(chosen) - set(REGISTRY))
    if unknown:
        near = difflib.get_close_matches(unknown[0], REGISTRY)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ValueError(
            f"There is no data set {', '.join(unknown)}.{hint} Choose 'six', 'all', "
            "'outside', 'loda', 'development' or names of "
            "benchmarks/sets/registry.csv."
        )
    return chosen


def load(name):
    """Load the rows of a data set.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    X : float64 ndarray of shape (n, d)
    y : int ndarray of shape (n,)
        1 is an outlier, 0 is not.

    Raises
    ------
    MissingDataError
        When there is no local file and no download, or when a local file has another
        checksum than the registry.
    """
    entry = REGISTRY[name]
    local = _local_file(name)
    if local:
        X, y = _parse("npz", [_verified(local, entry)])
    else:
        X, y = _parse(entry.url.rsplit(".", 1)[1], _download(entry))
    if X.shape != (entry.n, entry.d) or y.sum() != entry.outliers:
        raise ValueError(
            f"{name} came with shape {X.shape} and {y.sum()} outliers, but the "
            f"registry says ({entry.n}, {entry.d}) and {entry.outliers}."
        )
    return X, y


def _local_file(name):
    folder = os.environ.get("SKNCAE_DATA")
    if not folder:
        return None
    for path in (
        Path(folder, REGISTRY[name].suite, f"{name}.npz"),
        Path(folder, f"{name}.npz"),
    ):
        if path.is_file():
            return path
    return None


def _verified(path, entry):
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256_npz:
        raise MissingDataError(
            f"{path} has SHA-256 {found}, but the registry says {entry.sha256_npz}. "
            "Remove the file, or unset SKNCAE_DATA to download the public original."
        )
    return content


def _download(entry):
    try:
        import pooch

        return [
            Path(
                pooch.retrieve(
                    url,
                    known_hash=f"sha256:{sha256}",
                    path=pooch.os_cache("skncae") / Path(url).parent.name,
                    fname=Path(url).name,
                )
            ).read_bytes()
            for url, sha256 in entry.originals()
        ]
    except Exception as error:
        raise MissingDataError(
            f"no {entry.name}.npz in SKNCAE_DATA "
            f"({os.environ.get('SKNCAE_DATA', 'not set')}), and no download from "
            f"{entry.url}: {type(error).__name__}: {error}"
        ) from error


def _parse(kind, contents):
    files = [io.BytesIO(content) for content in contents]
    if kind == "txt":
        return _few_outliers(*(np.loadtxt(file, ndmin=2) for file in files))
    if kind == "npz":
        arrays = np.load(files[0], allow_pickle=False)
        if "train" in arrays:
            return _development_table(arrays)
    else:
        from scipy.io import loadmat

        arrays = loadmat(files[0])
    return arrays["X"].astype(np.float64), arrays["y"].ravel().astype(int)


def _few_outliers(normal, *others):
    """Pool the other rows, and draw as many as outliers are to be."""
    pool = np.concatenate(others)
    n_outliers = round(len(normal) * OUTLIER_SHARE / (1 - OUTLIER_SHARE))
    drawn = np.random.default_rng(0).permutation(len(pool))[:n_outliers]
    y = np.repeat([0, 1], [len(normal), len(drawn)])
    return np.concatenate([normal, pool[drawn]]), y


def _development_table(arrays):
    """Stack training and test rows, draw some, and drop constant columns."""
    X = np.concatenate([arrays["train"], arrays["test"]])
    y = np.concatenate([arrays["train_labels"], arrays["test_labels"]])
    drawn = np.random.default_rng(0).permutation(len(X))[:POOL_ROWS]
    X, y = X[drawn].astype(np.float64), y[drawn].astype(int)
    return X[:, np.ptp(X, axis=0) > 0], y
