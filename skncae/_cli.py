"""The command ``skncae``: find the rows of a file that stand out, and say why.

Results go to the standard output, progress and errors to the standard error. The exit
status is 0 when all went well, 1 when ``--check`` was given and a row is flagged, 2
when the command, a file or a value is wrong, 130 when it was interrupted.
"""

import ast
import contextlib
import functools
import json
import re
import sys
import time
import traceback
import warnings

from skncae._version import __version__

try:
    import click
except ImportError as error:
    raise SystemExit('skncae needs click: pip install "skncae[cli]"') from error

FORMATS = ("md", "csv", "json", "html")
FLAGGED, WRONG, INTERRUPTED = 1, 2, 130
# What the detector calls by the names of Python, by those of options.
OPTIONS = {
    "name it in categorical_features": "name it by --category",
    "categorical_features names": "--category names",
    ", or choose the cut with set_threshold(quantile=...)": "",
    ", or choose the cut with set_threshold(value=...)": "",
    "Give contamination": "Give --contamination",
    "Give another contamination": "Give another --contamination",
    'contamination="auto"': "--contamination auto",
    "contamination=": "--contamination ",
    "by NaN with allow_nan=True": "take it for missing by --missing",
}
# A list of names, as Python writes it.
_NAME = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CATEGORIES = re.compile(rf"categorical_features=(\[{_NAME}(?:, {_NAME})*\])")


class _Group(click.Group):
    """Commands whose errors are one line, and exit with `WRONG`."""

    def invoke(self, context):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = _shower_of_warnings()
                return super().invoke(context)
        except (click.exceptions.Exit, click.ClickException, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("skncae: interrupted", err=True)
            context.exit(INTERRUPTED)
        except OSError as error:
            said = str(error)
            if error.strerror and error.filename:
                said = f"{error.filename}: {error.strerror}"
            _fail(context, said, error)
        except (ValueError, TypeError, RuntimeError, ImportError) as error:
            _fail(context, str(error), error)
        except Exception as error:
            # Python's own status would be 1, by which a script takes a row for flagged.
            traceback.print_exc()
            said = f"{type(error).__name__}: {error}"
            _fail(context, f"a fault of skncae, not of your data: {said}", error)


def _fail(context, text, error):
    """Say what is wrong in one line, and exit."""
    _say_line(text.strip() or type(error).__name__)
    context.exit(WRONG)


def _say_line(text):
    """Say a warning or an error in one line, with the names of the options."""
    line = " ".join(text.split())
    line = _CATEGORIES.sub(_as_options, line)
    for name, option in OPTIONS.items():
        line = line.replace(name, option)
    click.echo(f"skncae: {line}", err=True)


def _as_options(found):
    """Write the columns that Python would name in a list as options."""
    from skncae.data._tables import listed_options

    return listed_options("--category", ast.literal_eval(found[1]))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skncae")
def main():
    """Find the rows of a table that stand out, and say why.

    \b
    skncae find data.csv -o report.html
    skncae find data.csv --save model.skncae
    skncae score model.skncae new.csv > scores.csv
    skncae explain model.skncae new.csv
    skncae refine model.skncae answers.csv data.csv
    """


def _all_of(*options):
    """Make one decorator of the options of a command."""
    return lambda command: functools.reduce(
        lambda made, option: option(made), options[::-1], command
    )


# The files to read, and how.
_options_of_tables = _all_of(
    click.argument("files", nargs=-1, required=True, metavar="FILE..."),
    click.option("--index", metavar="COLUMN", help="The column that names rows."),
    click.option("--drop", multiple=True, metavar="COLUMN", help="Leave a column out."),
    click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="Take this text for no value, besides NA, NaN, null and nothing.",
    ),
    click.option(
        "--chunk-rows",
        type=click.IntRange(min=1),
        help="Rows to hold at once; files over 1 GiB are read in chunks anyway.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Show no progress."),
)

# The rows to show, and where to.
_options_of_reports = _all_of(
    click.option(
        "--top",
        type=click.IntRange(min=1),
        default=20,
        show_default=True,
        help="How many rows to show.",
    ),
    click.option(
        "-o", "--output", metavar="FILE", help="Where to, instead of the terminal."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        help="By default that of the name of the output, or md.",
    ),
    click.option("--check", is_flag=True, help="Exit with 1 if a row is flagged."),
)


@main.command()
@_options_of_tables
@_options_of_reports
@click.option(
    "--contamination",
    default="auto",
    show_default=True,
    metavar="SHARE",
    help='Share of the rows to flag, in (0, 0.5], or "auto".',
)
@click.option(
    "--category",
    multiple=True,
    metavar="COLUMN",
    help="Take a column for categories, such as codes, or text that is set aside.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="The same seed draws the same numbers, and finds the same rows.",
)
@click.option("--save", metavar="MODEL", help="Keep the fitted detector in a file.")
def find(
    contamination, category, seed, save, quiet, top, output, form, check, **tables
):
    """Find the rows of FILE... that stand out: CSV, parquet, or "-" for a pipe."""
    from skncae.files._results import check_results

    form = _form(form, output)
    check_results({"--save": save, "--output": output}, tables["files"])
    tables = _tables(tables)
    settings = {
        "contamination": _share(contamination),
        "categorical_features": list(category) or "from_dtype",
        "random_state": seed,
    }
    detector = _fitted(tables, settings, quiet)
    if save:
        detector.save(save)
        _say(quiet, f"saved {save}")
    _report(detector, tables, top, output, form, check, quiet)


@main.command()
@click.argument("model")
@_options_of_tables
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "json")),
    default="csv",
    show_default=True,
    help="json writes one object a line.",
)
@click.option("--check", is_flag=True, help="Exit with 1 if a row is flagged.")
def score(model, form, check, quiet, **options):
    """Score the rows of FILE... with a MODEL that `find --save` wrote.

    Of each row: its index, its score (the higher, the more normal) and its label (-1
    for an outlier, 1 for the others); of a calibrated model its p-value too.
    """
    from skncae._threshold import exceeds

    detector = _loaded(model)
    tables = _tables(options, detector)
    n_rows = n_flagged = 0
    for rows in _for_model(detector, tables, quiet):
        with _naming(tables.paths):
            scores = detector.score_samples(rows)
        flagged = exceeds(-scores, detector.threshold_)
        columns = {"index": rows.index, "score": scores, "label": 1 - 2 * flagged}
        if detector._calibration is not None:
            columns["p_value"] = detector.p_values(rows)
        _write_scores(columns, form, is_first=n_rows == 0)
        n_rows, n_flagged = n_rows + len(rows), n_flagged + int(flagged.sum())
    _say_flagged(quiet, n_flagged, n_rows)
    if check and n_flagged:
        sys.exit(FLAGGED)


@main.command()
@click.argument("model")
@_options_of_tables
@_options_of_reports
def explain(model, quiet, top, output, form, check, **tables):
    """Say why rows of FILE... stand out, with a MODEL that `find --save` wrote."""
    from skncae.files._results import check_results

    form = _form(form, output)
    check_results({"--output": output}, (model, *tables["files"]))
    detector = _loaded(model)
    tables = _tables(tables, detector)
    _report(detector, tables, top, output, form, check, quiet)


@main.command()
@click.argument("model")
@click.argument("answers")
@_options_of_tables
@click.option("--save", metavar="MODEL", help="Where to; by default in place of MODEL.")
def refine(model, answers, save, quiet, **options):
    """Teach a MODEL the ANSWERS that a report saved, about rows of FILE....

    ANSWERS is a CSV file with the columns index and label: -1 for an outlier, 1 for a
    normal row. FILE... and --index are those that the report was made of.
    """
    from skncae._sentences import counted
    from skncae.data._answer_files import answers_of
    from skncae.files._results import check_results

    # In place of the model is what the command promises, in place of the rest is not.
    option, save = ("MODEL", model) if save is None else ("--save", save)
    check_results({option: save}, (answers, *options["files"]))
    detector = _loaded(model)
    tables = _tables(options, detector)
    rows = list(_for_model(detector, tables, quiet))
    labels = answers_of(answers, [frame.index for frame in rows])
    n_answers = sum(int((part != 0).sum()) for part in labels)
    for frame, part in zip(rows, labels, strict=True):
        if part.any():
            with _naming(tables.paths):
                detector.refine(frame, part)
    detector.save(save)
    _say(quiet, f"learnt {counted(n_answers, 'answers')}, saved {save}")
    if not quiet:
        n_flagged = sum(int((detector.predict(frame) < 0).sum()) for frame in rows)
        _say_flagged(quiet, n_flagged, sum(map(len, rows)))


def _tables(options, detector=None):
    """The files that a command names, with the columns that a model has learnt."""
    from skncae.data._cell_types import kinds_of
    from skncae.data._tables import Tables

    kinds = {} if detector is None else kinds_of(detector)
    return Tables(options.pop("files"), **options, kinds=kinds)


def _share(text):
    """The contamination as a number or "auto"."""
    if text == "auto":
        return text
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 0.5:
            return float(text)
    raise ValueError(
        f'--contamination must be a share in (0, 0.5] or "auto", got {text!r}'
    )


def _form(form, output):
    """The format of the result: the one asked for, or that of the name of the file."""
    suffix = (output or "").rpartition(".")[2].lower()
    by_name = {"htm": "html", "markdown": "md", "jsonl": "json"}.get(suffix, suffix)
    return form or (by_name if by_name in FORMATS else "md")


def _fitted(tables, settings, quiet):
    """A detector that has learnt from the files."""
    from skncae import Chunks, NCAEDetector
    from skncae._sentences import counted

    start = time.perf_counter()
    detector = NCAEDetector(**settings, verbose=not quiet)
    with _naming(tables.paths):
        if tables.is_whole:
            rows = tables.whole()
            n_rows, n_columns = rows.shape
            size = f"{counted(n_rows, 'rows')} x {counted(n_columns, 'columns')}"
            _say(quiet, size)
            detector.fit(rows)
        else:
            detector.fit(Chunks(tables.chunks))
    _say(quiet, f"fitted in {time.perf_counter() - start:.1f} s")
    return detector


def _loaded(path):
    """The detector in a file."""
    from skncae import NCAEDetector

    return NCAEDetector.load(path)


def _for_model(detector, tables, quiet):
    """Yield the rows of the files with the columns of the detector, in its order."""
    names = list(getattr(detector, "feature_names_in_", []))
    is_first = True
    for rows in tables.chunks() if not tables.is_whole else [tables.whole()]:
        lost = [name for name in names if name not in rows.columns]
        if lost:
            raise ValueError(
                f"{tables.paths[0]}: no column {lost[0]!r}, which the model needs"
            )
        new = [str(name) for name in rows.columns if name not in names]
        if is_first and new and names:
            _say(quiet, f"not in the model, and left out: {', '.join(new)}")
        is_first = False
        with _naming(tables.paths):
            yield rows[names] if names else rows


def _report(detector, tables, top, output, form, check, quiet):
    """Write a report on the rows of the files."""
    from skncae import Chunks

    if tables.is_whole:
        (rows,) = _for_model(detector, tables, quiet)
    else:
        rows = Chunks(lambda: _for_model(detector, tables, quiet))
    with _naming(tables.paths):
        report = detector.report(rows, n=top)
    _write(_text(report, form), output)
    content = report.content
    _say_flagged(quiet, content["n_flagged"], content["n_rows"])
    if check and content["n_flagged"]:
        sys.exit(FLAGGED)


def _text(report, form):
    """A report in one of the formats."""
    if form == "html":
        return report.to_html()
    if form == "md":
        return report.to_markdown()
    if form == "csv":
        return report.to_frame().to_csv(index_label="index")
    rows = [{"index": row.pop("label"), **row} for row in map(dict, report.rows)]
    return json.dumps(rows, default=str, indent=1) + "\n"


def _write(text, output):
    """Write to a file, or to the standard output."""
    is_stdout = output in (None, "-")
    try:
        if is_stdout:
            click.echo(text, nl=False)
        else:
            with open(output, "w", encoding="utf-8", newline="") as file:
                file.write(text)
    except OSError as error:
        # A full disk does not say which file it has no place for.
        name = "the standard output" if is_stdout else output
        raise OSError(error.errno, error.strerror, name) from error


def _write_scores(columns, form, is_first):
    """Write a line for each row."""
    import pandas

    frame = pandas.DataFrame(columns)
    if form == "csv":
        text = frame.to_csv(index=False, header=is_first)
    else:
        text = frame.to_json(orient="records", lines=True, date_format="iso")
    _write(text, None)


@contextlib.contextmanager
def _naming(paths):
    """Put the names of the files before an error of the detector."""
    from skncae.data._csv_files import TableError

    try:
        yield
    except TableError:
        raise
    except (ValueError, TypeError) as error:
        raise ValueError(f"{', '.join(paths)}: {error}") from error


def _shower_of_warnings():
    """Make what says each warning in one line, and once: rows are read repeatedly."""
    said = set()

    def show(message, category, filename, lineno, file=None, line=None):
        if str(message) not in said:
            said.add(str(message))
            _say_line(str(message))

    return show


def _say(quiet, text):
    """Show progress."""
    if not quiet:
        click.echo(text, err=True)


def _say_flagged(quiet, n_flagged, n_rows):
    """Say how many rows are flagged."""
    from skncae._sentences import counted, percent

    share = percent(n_flagged / n_rows)
    _say(quiet, f"{n_flagged} of {counted(n_rows, 'rows')} flagged ({share})")
