"""Dictionaries in, files out, and back.

An archive is one safetensors file. Its tensors are the arrays of a nested dictionary;
everything else of that dictionary is JSON in the file's metadata:

==================  ===========================================================
metadata            value
==================  ===========================================================
``format``          what the archive holds, such as "skncae.NCAEDetector"
``format_version``  of this layout; raised when older readers would misread it
``skncae_version``  who wrote it
``document``        JSON: numbers, strings, null and lists as they are, all
                    else as an object of one key: ``dict``, ``tuple``,
                    ``array`` (name of its tensor, memory order) or ``strings``
``sha256``          of all of the above and of every tensor
==================  ===========================================================

Nothing in an archive is run, imported or evaluated.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
from pathlib import Path

import numpy as np

from skncae._extras import needing

FORMAT_VERSION = 1


def save_archive(path, content, metadata):
    """Write a nested dictionary to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
    content : dict
        Nested dictionaries, lists and tuples of arrays, numbers, strings and None.
    metadata : dict of str to str
        The entries "format" and "skncae_version".

    Raises
    ------
    TypeError
        If something in `content` has no form in a file; nothing is written then.
    """
    safetensors = _safetensors()
    tensors: dict[str, np.ndarray] = {}
    document = json.dumps(_encode(content, (), tensors))
    metadata = metadata | {"format_version": str(FORMAT_VERSION), "document": document}
    metadata["sha256"] = _digest(metadata, tensors)
    write_whole(path, safetensors.numpy.save(tensors, metadata))


def load_archive(path, kind):
    """Read what `save_archive` wrote.

    Parameters
    ----------
    path : str or path-like
    kind : str
        What the entry "format" of the metadata has to be.

    Returns
    -------
    content : dict

    Raises
    ------
    ValueError
        If the file is damaged, holds something else, or is of a newer format.
    """
    safetensors = _safetensors()
    path = _text_of(path)
    _status(path)
    # Errors of the file system stay what they are.
    with open(path, "rb"):
        pass
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            # Before a tensor is read: those of another file may fill the memory.
            _check_header(path, metadata, names, kind)
            tensors = {name: file.get_tensor(name) for name in names}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from None
    if metadata.get("sha256") != _digest(metadata, tensors):
        raise _damaged(path)
    try:
        return _decode(json.loads(metadata["document"]), tensors)
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a forged document trips over.
        raise ValueError(f"{path} holds no document of skncae: {error!r}") from error


def write_whole(path, content):
    """Write bytes to a file so that it has the old content or the new, never a part.

    A file that is replaced keeps its owner and who may read it; a new one gets what is
    usual here.

    Parameters
    ----------
    path : str or path-like
    content : bytes

    Raises
    ------
    ValueError
        If there is something that is no regular file.
    OSError
        If the path names no file, or a folder.
    """
    path = _text_of(path)
    # Before anything is written: without the slash at its end, which realpath drops,
    # it would be another path.
    if not path:
        raise FileNotFoundError(errno.ENOENT, "the path of a file is empty", path)
    if not os.path.basename(path) or os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "no file but a folder", path)
    # Through a link to the file itself, as open() does.
    path = Path(os.path.realpath(path))
    old = _status(path)
    # In the same folder, since a file moves in one step within a file system only.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    # Nobody else may read what replaces a file before it has the rights of that file.
    mode = 0o666 if old is None else 0o600
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, mode), "wb") as file:
            if old is not None:
                _give(temporary, old)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno:
            # Of the name that nobody has given nobody knows.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _text_of(path):
    """A path as text; an int, which open() takes for a stream, is none."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str or path-like, got {path!r}.") from None


def _status(path):
    """Status of a regular file, None where there is nothing; refuse anything else."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    # open() has an error of its own for folders.
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ValueError(
            f"{path} is a device, a pipe or a socket and no regular file "
            f"({stat.filemode(status.st_mode)}), which a detector is not kept in. Give "
            "the path of a file."
        )
    return status


def _give(path, old):
    """Give a file the owner and the rights of another."""
    if hasattr(os, "chown"):
        now = os.stat(path)
        if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
            os.chown(path, old.st_uid, old.st_gid)
    # After its owner: a new owner may take rights away.
    os.chmod(path, stat.S_IMODE(old.st_mode))


def _safetensors():
    with needing("files", "Files of a detector need safetensors."):
        import safetensors.numpy
    return safetensors


def _check_header(path, metadata, names, kind):
    """Raise a ValueError unless the archive is one that we can read.

    Of its tensors, which are not read yet, the names must be in its document.
    """
    if metadata.get("format") != kind:
        raise ValueError(
            f"{path} holds {metadata.get('format', 'tensors')!r}, not {kind!r}."
        )
    version = metadata.get("format_version", "")
    # Python reads no number of thousands of digits.
    if version.isdecimal() and int(version[:20]) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format {version[:20]}, written by skncae "
            f"{metadata.get('skncae_version')}; this skncae reads formats up to "
            f"{FORMAT_VERSION}. Upgrade it: pip install --upgrade skncae."
        )
    document = metadata.get("document", "")
    if any(json.dumps(name) not in document for name in names):
        raise _damaged(path)


def _damaged(path):
    return ValueError(
        f"{path} is damaged: its content does not match its checksum. "
        "Take it from a copy, or save the detector again."
    )


def _digest(metadata, tensors):
    """SHA-256 of all entries but the digest itself, and of all tensors."""
    entries = {name: metadata[name] for name in metadata if name != "sha256"}
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        header = json.dumps([name, array.dtype.name, array.shape])
        digest.update(header.encode())
        # As it lies there: an array may be large.
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _encode(value, keys, tensors):
    """Return the JSON of a value, moving arrays to `tensors`; `keys` lead to it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, list | tuple):
        items = [_encode(v, (*keys, i), tensors) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {k: _encode(v, (*keys, k), tensors) for k, v in value.items()}}
    if isinstance(value, np.ndarray):
        return _encode_array(value, keys, tensors)
    raise _no_form(value, keys)


def _encode_array(array, keys, tensors):
    """Return the JSON of an array: where its numbers are, or its strings."""
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        # The last bits of a matrix product depend on the order in memory.
        order = "C" if array.flags.c_contiguous or not array.flags.fnc else "F"
        name = ".".join(map(str, keys))
        while name in tensors:
            name += "_"
        tensors[name] = np.asarray(array, array.dtype.newbyteorder("="), order="C")
        return {"array": [name, order]}
    strings = array.tolist()
    if array.ndim == 1 and all(isinstance(string, str) for string in strings):
        return {"strings": strings}
    raise _no_form(array, keys)


def _no_form(value, keys):
    part, *names = map(str, keys)
    way = "Use joblib.dump."
    if part == "parameters":
        way = (
            f"Set {names[0]} to its default first, or to a list or a number that means "
            "the same, with set_params, which leaves the scores of a fitted detector "
            "as they are; or use joblib.dump."
        )
    return TypeError(
        f"{'.'.join(names)}={value!r} cannot be saved: a file holds numbers, strings, "
        f"None, arrays, and tuples, lists and dictionaries of them. {way}"
    )


def _decode(value, tensors):
    """Turn the JSON of `_encode` back into what it was made of."""
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "dict":
        return {key: _decode(item, tensors) for key, item in content.items()}
    if kind == "tuple":
        return tuple(_decode(content, tensors))
    if kind == "array":
        name, order = content
        # Once: a short document that names a tensor often would fill the memory.
        return np.array(tensors.pop(name), order=order)
    if kind == "strings":
        return np.array(content, dtype=object)
    raise ValueError(f"no such kind of value: {kind!r}")
