"""Where results may go: what cannot be written is refused before the work."""

import os


def check_results(results, read):
    """Refuse a result that could not be written, or in place of what is read.

    Parameters
    ----------
    results : dict of str to str or None
        By option, the files to write; "-" is the standard output.
    read : sequence of str
        The files to read; "-" is the standard input.

    Raises
    ------
    ValueError
        If a file has no place, is one that is read, or is that of another result.
    """
    written: dict[str, str] = {}
    for option, path in results.items():
        if path is None or (path == "-" and option == "--output"):
            continue
        _check_place(option, path)
        for other in read:
            if _is_same_file(path, other):
                raise ValueError(
                    f"{option} {path}: {_named(other)} is read, and would be lost. "
                    "Name another file"
                )
        for earlier, other in written.items():
            if _is_same_file(path, other):
                raise ValueError(
                    f"{option} {path}: {earlier} writes that file too. Name another "
                    "file for one of them"
                )
        written[option] = path


def _check_place(option, path):
    """Refuse a name that no file can have here."""
    folder, name = os.path.split(path)
    if path in ("", "-"):
        raise ValueError(f"{option} {path!r}: a result needs the name of a file")
    if not os.path.isdir(folder or "."):
        raise ValueError(f"{option} {path}: no folder {folder!r}")
    if not name or os.path.isdir(path):
        raise ValueError(f"{option} {path}: is a folder. Name a file in it")
    if not os.access(path if os.path.exists(path) else folder or ".", os.W_OK):
        raise ValueError(f"{option} {path}: may not be written. Name another file")


def _is_same_file(path, other):
    """Say whether two names are of one file, also by links of any kind."""
    is_input = other == "-"
    if not os.path.exists(path) or not (is_input or os.path.exists(other)):
        return not is_input and os.path.realpath(path) == os.path.realpath(other)
    try:
        is_same = os.path.samefile(path, 0 if is_input else other)
    except OSError:  # The standard input is closed.
        return False
    # A terminal or a pipe is read and written; only what a file holds would be lost.
    return is_same and os.path.isfile(path)


def _named(path):
    """The name of a file that is read, in a sentence."""
    return "the standard input" if path == "-" else path
