"""Sets of images: local files first, then the public originals.

The paper's are MNIST, Fashion-MNIST and CIFAR-10; USPS and scikit-learn's digits had no
part in choosing anything. `load` looks for ``images/<file>`` in the folder that
``SKNCAE_DATA`` names. Of CIFAR-10 that is a subset of 1,000 training and 400 test
images a class; the public original is the whole.
"""

import gzip
import hashlib
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.sets.tables import MissingDataError

# Local file and its SHA-256.
LOCAL = {
    "mnist": (
        "mnist.npz",
        "d2fc8bab397b964798b4c839bd1e705e10a4bb65f4d56a88002229d145796751",
    ),
    "fmnist": (
        "fmnist.npz",
        "063002653625f7c01815a5dcda78f6d9c531ea0fd1038ae5e533ab46c7f6075a",
    ),
    "cifar10": (
        "cifar10_small.npz",
        "503b87c9414390eab205f17c2f85ea59794fef55d937bf9698f52e4679c03ace",
    ),
    "usps": (
        "usps.h5",
        "734f88c541104a956d88be2c95d03b4a463ffd74ccc2ba9c80841fb98e3fcb36",
    ),
}
USPS = "https://raw.githubusercontent.com/niuers/Learning-From-Data-A-Short-Course/"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
PUBLIC = {
    "mnist": {
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz": (
            "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
        )
    },
    "fmnist": {
        FASHION + "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        FASHION + "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        FASHION + "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        FASHION + "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    "cifar10": {
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz": (
            "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
        )
    },
    "usps": {
        USPS + "879a698b960e5867f7c2b11f8938fa89c3d21839/data/usps.h5": (
            f"sha256:{LOCAL['usps'][1]}"
        )
    },
}
NAMES = (*LOCAL, "digits")


def load(name):
    """Load a set of images.

    Parameters
    ----------
    name : {"mnist", "fmnist", "cifar10", "usps", "digits"}

    Returns
    -------
    X_train, y_train, X_test, y_test : uint8 ndarray
        Images of shape (n, 28, 28), (n, 32, 32, 3), (n, 16, 16) or (n, 8, 8), and
        their classes.

    Raises
    ------
    MissingDataError
        When there is no local file and no download.
    ValueError
        When a local file has another checksum than the registry.
    """
    if name == "digits":
        return _digits()
    file, checksum = LOCAL[name]
    path = Path(os.environ.get("SKNCAE_DATA", ""), "images", file)
    if not path.is_file():
        return _PARSERS[name](_download(name))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != checksum:
        raise ValueError(
            f"{path} has SHA-256 {found}, but the registry says {checksum}. Remove the "
            "file, or unset SKNCAE_DATA to download the public original."
        )
    if name == "usps":
        return _parse_usps([path])
    with np.load(path) as arrays:
        return tuple(arrays[key] for key in ("X_train", "y_train", "X_test", "y_test"))


def _digits(n_train=1200):
    """Scikit-learn's digits, of which the first in a fixed order are for training."""
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:n_train], order[n_train:]
    return X[train], y[train], X[test], y[test]


def _download(name):
    """Fetch the public files, and return where they are."""
    try:
        import pooch

        return [
            pooch.retrieve(url, known_hash=checksum, path=pooch.os_cache("skncae"))
            for url, checksum in PUBLIC[name].items()
        ]
    except Exception as error:
        raise MissingDataError(
            f"no {LOCAL[name][0]} under images/ of SKNCAE_DATA "
            f"({os.environ.get('SKNCAE_DATA', 'not set')}), and no download: "
            f"{type(error).__name__}: {error}"
        ) from error


def _parse_mnist(paths):
    with np.load(paths[0]) as arrays:
        return tuple(arrays[key] for key in ("x_train", "y_train", "x_test", "y_test"))


def _parse_fmnist(paths):
    """The IDX files: a header of 16 bytes before images, of 8 before labels."""
    parts = []
    for path, n_header in zip(paths, (16, 8, 16, 8), strict=True):
        content = gzip.decompress(Path(path).read_bytes())
        values = np.frombuffer(content, np.uint8, offset=n_header)
        parts.append(values.reshape(-1, 28, 28) if n_header == 16 else values)
    return tuple(parts)


def _parse_cifar10(paths):
    batches = {}
    with tarfile.open(paths[0]) as archive:
        for member in archive.getmembers():
            if "_batch" in member.name:
                # The checksum says that these are the pickles of the authors.
                content = pickle.load(archive.extractfile(member), encoding="bytes")
                batches[Path(member.name).name] = content
    train = [batches[f"data_batch_{i}"] for i in range(1, 6)]
    return _cifar10_images(train) + _cifar10_images([batches["test_batch"]])


def _cifar10_images(batches):
    X = np.concatenate([batch[b"data"] for batch in batches])
    y = np.concatenate([batch[b"labels"] for batch in batches]).astype(np.uint8)
    return X.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), y


def _parse_usps(paths):
    import h5py

    parts = []
    with h5py.File(paths[0]) as file:
        for part in ("train", "test"):
            images = 255 * file[part]["data"][:].reshape(-1, 16, 16)
            parts += [images.round().astype(np.uint8), file[part]["target"][:]]
    return tuple(parts)


_PARSERS = {
    "mnist": _parse_mnist,
    "fmnist": _parse_fmnist,
    "cifar10": _parse_cifar10,
    "usps": _parse_usps,
}
