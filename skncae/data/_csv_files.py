"""CSV files before they are tables: how they are written, and which line is wrong.

A source is the path of a file, or the bytes of the standard input.
"""

import contextlib
import csv
import gzip
import io
import re
import warnings
import zlib
from collections import Counter

import numpy as np

DELIMITERS = ",;\t|"
# Bytes that are looked through at once.
BLOCK_BYTES = 2**22
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"


class TableError(ValueError):
    """A file that cannot be read as a table, in one line of text."""


def opened(source):
    """Open a source as bytes from its start, unpacked where gzip packed it."""
    is_bytes = isinstance(source, bytes)
    file = io.BytesIO(source) if is_bytes else open(source, "rb")
    if file.read(len(GZIP)) != GZIP:
        file.seek(0)
        return file
    file.close()
    return gzip.open(io.BytesIO(source) if is_bytes else source)


def opened_text(source):
    """Open a source as text, without the mark that Excel puts before it."""
    return io.TextIOWrapper(opened(source), "utf-8-sig", newline="")


@contextlib.contextmanager
def naming(path, source):
    """Say in one line which file cannot be read, where, and why."""
    import pandas

    try:
        yield
    except (pandas.errors.ParserError, csv.Error) as error:
        raise TableError(f"{path}{_place_of(error)}") from error
    except pandas.errors.EmptyDataError as error:
        raise TableError(f"{path}: the file is empty") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}{_undecodable(source)}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TableError(f"{path}: damaged, gzip cannot unpack it: {error}") from error


def separator_of(source):
    """The character of the first line that most likely separates its fields."""
    with opened_text(source) as file:
        first = next((line for line in file if not line.isspace()), "")
    counts = [first.count(character) for character in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def options_of(path, source):
    """Say with which options pandas reads a file, and its columns by their names.

    Fields without a name are refused: pandas would take the first ones for an index.
    """
    import pandas

    separator = separator_of(source)
    with opened_text(source) as text:
        records = csv.reader(text, delimiter=separator)
        n_blank, header = next(
            ((n, record) for n, record in enumerate(records) if not _is_blank(record)),
            (0, []),
        )
        first = next((record for record in records if not _is_blank(record)), [])
    if len(first) > len(header):
        raise TableError(
            f"{path}, line {line_of(source, 0)}: {len(first)} fields, where the header "
            f"names {len(header)}. Name all columns there, and end no line with a "
            "separator"
        )
    options = {"sep": separator}
    if len(header) == 1:
        # Where a row has one field, a line without any is a row without a value, but
        # at the end of the file.
        with opened_text(source) as text:
            n_records, blank = _up_to_the_end(csv.reader(text, delimiter=separator))
        options |= {"skip_blank_lines": False, "header": n_blank, "na_values": blank}
        options["nrows"] = n_records - n_blank - 1
    with opened(source) as file:
        names = list(pandas.read_csv(file, **options | {"nrows": 0}))
    _tell_twins(path, header, names)
    return options, names


def _tell_twins(path, header, names):
    """Say how names of the header that are the same are told apart."""
    for twin in twins(header):
        pairs = zip(header, names, strict=True)
        second = [name for field, name in pairs if field == twin][1]
        warnings.warn(
            f"{path}, line 1: several columns are named {twin!r}; the second is "
            f"{second!r} here",
            stacklevel=2,
        )


def has_codes(source, separator):
    """Say whether some field may be digits with a zero before them, such as 00123."""
    is_before, is_digit = np.zeros((2, 256), dtype=bool)
    is_before[list(f'{separator}\n\r" '.encode())] = True
    is_digit[list(b"0123456789")] = True
    code = re.compile(rf'0\d+ *[{re.escape(separator)}\r\n"]'.encode())
    with opened(source) as file:
        while block := file.read(BLOCK_BYTES):
            block = b"\n" + block + file.readline() + b"\n"
            found = np.frombuffer(block, dtype=np.uint8)
            zeros = np.flatnonzero(found == ord("0"))
            zeros = zeros[is_before[found[zeros - 1]] & is_digit[found[zeros + 1]]]
            if any(code.match(block, place) for place in zeros.tolist()):
                return True
    return False


def twins(names):
    """Names that several columns have."""
    return [name for name, n in Counter(names).items() if n > 1 and name]


def line_of(source, row):
    """Number of the line that a row of a CSV file begins in."""
    with opened_text(source) as file:
        reader = csv.reader(file, delimiter=separator_of(source))
        begins, n_records, is_one_field = 1, 0, False
        for record in reader:
            is_record = is_one_field or not _is_blank(record)
            if is_record and n_records == row + 1:
                break
            if is_record and not n_records:
                is_one_field = len(record) == 1
            n_records += is_record
            begins = reader.line_num + 1
    return begins


def _is_blank(record):
    """Say whether a record is a line that pandas passes over."""
    return not record or (len(record) == 1 and record[0].isspace())


def _up_to_the_end(records):
    """Number of records up to the last that is not blank, and what blank ones hold."""
    n_records, blank = 0, set()
    for n_read, record in enumerate(records, 1):
        if _is_blank(record):
            blank.add("".join(record))
        else:
            n_records = n_read
    return n_records, sorted(blank)


def _place_of(error):
    """Say where and why a CSV cannot be read, out of the message of its reader."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        expected, line, saw = found.groups()
        return f", line {line}: {saw} fields, where {expected} are expected"
    found = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if found:
        return f", row {found.group(1)}: a quote that is not closed"
    return f": {str(error).splitlines()[0]}"


def _undecodable(source):
    """Say in which line a file is not UTF-8, and what to do."""
    with opened(source) as file:
        if file.read(len(ZIP)) == ZIP:
            return ": a spreadsheet or a zip archive, and no CSV file. Save it as CSV"
        file.seek(0)
        wrong = (n for n, line in enumerate(file, start=1) if not _is_text(line))
        number = next(wrong, 1)
    return (
        f", line {number}: not UTF-8 text. Convert the file first, for example with "
        "iconv"
    )


def _is_text(line):
    """Say whether bytes are UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
