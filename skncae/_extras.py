"""Packages that are not installed with skncae: where one is missing, what brings it."""

from contextlib import contextmanager


@contextmanager
def needing(extra, why):
    """Import inside what an extra brings; an error says why, and how to install it.

    Parameters
    ----------
    extra : str
        Of `pyproject.toml`.
    why : str
        A sentence that names who needs which package.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{why} Run: pip install "skncae[{extra}]"') from error
