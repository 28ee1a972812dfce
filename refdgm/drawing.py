"""What an experiment writes: its rows as JSON and CSV, its picture as PNG and SVG, each with version and seed inside.

A picture has no background, and ink and colours that stand out from white as from black (a contrast of at least 3),
so that one file serves light pages and dark ones. The colours are four of Okabe and Ito's, which are told apart with
any colour vision; lines differ in dashes and markers besides. Matplotlib is imported when something is drawn.
"""
import csv
import io
from pathlib import Path

from refdgm import files
from refdgm import validation as valid
from refdgm.journal import dumps

BLUE, VERMILLION, GREEN, PINK, INK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"
COLOURS = (BLUE, VERMILLION, GREEN, PINK)
MARKS = tuple(zip(COLOURS, "os^D", ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))))     # colour, marker, dashes
ERRORS = 2.0                # standard errors on either side of a point
STYLE = {"font.size": 10, "font.family": "DejaVu Sans", "axes.titlesize": 10, "axes.grid": True, "grid.alpha": 0.25,
         "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.6,
         "lines.markersize": 4.5, "svg.fonttype": "path", "figure.facecolor": "none", "axes.facecolor": "none",
         "savefig.facecolor": "none",
         **{name: INK for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color",
                                   "axes.titlecolor", "grid.color", "legend.labelcolor")}}


def write(folder, name, header, rows, draw, as_list=False):
    """name.json, .csv, .png and .svg in `folder`; header is a dict that names version and seed.  -> the four paths

    as_list: the JSON is the rows alone, the header in each of them; else {header, "rows": rows}.
    """
    valid.text("name", name)
    folder = Path(folder)
    paths = [folder / f"{name}.{kind}" for kind in ("json", "csv", "png", "svg")]
    whole = [{**row, **header} for row in rows] if as_list else {**header, "rows": rows}
    replace(paths[0], dumps(whole, indent=1).encode() + b"\n")
    replace(paths[1], table_text(header, rows).encode())
    for path in paths[2:]:
        replace(path, picture(draw, rows, header, name, path.suffix[1:]))
    return paths


def replace(path, content):
    """Write a file all or nothing, its folder too.  Raises ValueError where it cannot be written."""
    files.make_folder(path.parent)
    with files.whole(path) as file:
        file.write(content)


def table_text(header, rows):
    """The rows as CSV, below a comment that holds the header; a column that a row lacks is empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    text.write("# " + ", ".join(f"{key} {value}" for key, value in header.items()) + "\n")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def picture(draw, rows, header, name, kind):
    """The bytes of a PNG or SVG that draw(figure, rows) has filled, the same for the same rows."""
    valid.text("name", name)
    valid.require(kind in ("png", "svg"), f"a picture is a png or an svg, not {kind!r}.")
    import matplotlib
    from matplotlib.figure import Figure                    # a Figure of one's own: no pyplot, no global state
    says = ", ".join(f"{key} {value}" for key, value in header.items())
    inside = {"Title": name, "Description": says}
    inside |= {"Software": f"refdgm {header['version']}"} if kind == "png" else {"Creator": "refdgm", "Date": None}
    out = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(8.4, 3.6), layout="constrained")
        draw(figure, rows)
        figure.savefig(out, format=kind, dpi=160, metadata=inside)
    return out.getvalue()


def curve(axes, rows, x, y, label, number=0, **options):
    """A line through the points (row[x], row[y]) in the style of that number; rows without y are left out."""
    rows = [row for row in rows if row.get(y) is not None]
    colour, marker, dashes = MARKS[number % len(MARKS)]
    given = {"color": colour, "marker": marker, "linestyle": dashes, "label": label, **options}
    axes.plot([row[x] for row in rows], [row[y] for row in rows], **given)


def points(axes, rows, x, y, error, label, number=0):
    """Points with bars of ERRORS standard errors."""
    colour, marker, _ = MARKS[number % len(MARKS)]
    axes.errorbar([row[x] for row in rows], [row[y] for row in rows], [ERRORS * row[error] for row in rows],
                  fmt=marker, color=colour, elinewidth=1.0, capsize=2.0, label=label)


def dots(axes, rows, key, label, number=0):
    """A point with bars for each row of a table, the rows from top to bottom; rows without the number have none."""
    colour, marker, _ = MARKS[number % len(MARKS)]
    places = [n for n, row in enumerate(rows) if row.get(key) is not None]
    axes.errorbar([rows[n][key] for n in places], places, xerr=[ERRORS * rows[n][f"{key}_stderr"] for n in places],
                  fmt=marker, color=colour, elinewidth=1.0, capsize=2.0, label=label)
    axes.set_yticks(range(len(rows)), [row["algorithm"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)


def decades(*axes, x=False, y=False):
    """Logarithmic axes whose labels are powers of ten only."""
    from matplotlib.ticker import NullFormatter
    for a in axes:
        for wanted, scale, axis in ((x, a.set_xscale, a.xaxis), (y, a.set_yscale, a.yaxis)):
            if wanted:
                scale("log")
                axis.set_minor_formatter(NullFormatter())


def reference(axes, rows, x, y, label=None):
    """A thin grey line without markers: what theory says."""
    curve(axes, rows, x, y, label, color=INK, marker="", linestyle=":", linewidth=1.1)


def plain(rows):
    """The same rows with Python's own numbers."""
    return [{key: value.item() if hasattr(value, "item") else value for key, value in row.items()} for row in rows]
