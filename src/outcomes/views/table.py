"""Tables as HTML: few rules, numbers at the right, every header with its scope, the caption within."""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.views.released_rows import explain_mark, say_cautions, show, write_interval, write_size
from outcomes.views.view import View, build_view, list_sentences, write_html

#: From so many characters on, a cell may take several lines.
_LONG = 26


@dataclass(frozen=True)
class TableColumn:
    """A column of a table: its heading, which row of each line it shows, and how that is written."""

    head: str
    #: Of the row among the cells of a line; the column's own name where absent.
    key: Any = None
    #: Makes text of a row and its release.
    write: Callable[[Any, Release], str] = show


@dataclass(frozen=True)
class TableLine:
    """A line of a table: its header, its cells by key and the heading of the block that it stands in.

    A cell is a row of a release, a text, or None.
    """

    head: str
    cells: Mapping[Any, Any]
    block: str = ""


def show_size(head: str, key: Any = None) -> TableColumn:
    """Return a column of numbers of patients."""
    return TableColumn(head, key, write_size)


def show_interval(head: str, key: Any = None) -> TableColumn:
    """Return a column of estimates with their intervals."""
    return TableColumn(head, key, write_interval)


def build_table_view(
    name: str,
    releases: Release | tuple[Release, ...],
    lines: Iterable[TableLine],
    columns: Mapping[str, TableColumn],
    caption: str | Sequence[str],
    stub: str = "",
    released: pd.DataFrame | None = None,
) -> View:
    """Build the view of a table; `released` are the rows that it shows, all of the first release if absent.

    ``stub`` is the heading of the lines' headers.
    """
    lines, release = list(lines), releases[0] if isinstance(releases, tuple) else releases
    written = [
        [line.head, *(_write(line, id, column, release) for id, column in columns.items())] for line in lines
    ]
    cells = pd.DataFrame(written, columns=["row", *columns])
    headings = {id: column.head for id, column in columns.items()}
    blocks = [line.block for line in lines] if any(line.block for line in lines) else None
    table = release.table if released is None else released
    noted = [say_cautions(release), explain_mark(table, release.words)]
    sentences = list_sentences([*list_sentences(caption), *noted])
    said = " ".join(sentences)
    fragment = render_table(cells, stub=stub, headings=headings, caption=said, groups=blocks)
    alt = f"{said} {_read_aloud(cells, headings)}"
    return build_view(name, "table", releases, fragment, alt=alt, sentences=sentences, table=table)


def _write(line: TableLine, id: str, column: TableColumn, release: Release) -> str:
    held = line.cells.get(id if column.key is None else column.key)
    if held is None or isinstance(held, str):
        return held or ""
    return column.write(held, release)


def render_table(
    cells: pd.DataFrame,
    *,
    stub: str,
    headings: Mapping[str, str],
    caption: str,
    groups: Sequence[str] | None = None,
) -> str:
    """Return a table as HTML, made by great-tables, with the page's own few classes.

    Its column ``row`` holds the headers. great-tables gives headers their scope and escapes texts; its
    style sheet (9 kB a table, with rules that reach beyond it) is left out, the caption is put in.

    Examples
    --------
    >>> cells = pd.DataFrame({"row": ["age <b>"], "mean": ["51.2"]})
    >>> text = render_table(cells, stub="", headings={"mean": "Mean"}, caption="At start.")
    >>> "<caption>At start.</caption>" in text, "age &lt;b&gt;" in text, 'scope="row"' in text
    (True, True, True)
    """
    from great_tables import GT
    from great_tables import html as take_html

    shown = cells[["row", *headings]].fillna("").astype("str")
    if groups is not None:
        shown["block"] = list(groups)
    table = GT(shown, rowname_col="row", groupname_col="block" if groups is not None else None, id="{id}")
    # double braces in a heading would be read as a unit
    labels: dict[str, Any] = {
        column: take_html(html.escape(heading).replace("{", "&#123;")) for column, heading in headings.items()
    }
    table = table.tab_stubhead(label=stub or " ").cols_label(labels)
    table = table.cols_align("right", columns=list(headings))
    return _tidy(table.as_raw_html(), caption)


def _tidy(text: str, caption: str) -> str:
    """Keep the table alone, with the classes ``n`` (numbers), ``long`` and ``group`` (block headings)."""
    body = text[text.index("<table") : text.rindex("</table>") + len("</table>")]
    opening = f'<table id="{{id}}"><caption>{write_html(caption)}</caption>'
    body = re.sub(r"<table[^>]*>", lambda _: opening, body, count=1)
    body = re.sub(r'<th class="gt_group_heading"', '<th scope="rowgroup" class="group"', body)
    body = re.sub(r' class="([^"]*)"', _keep_class, body)
    body = re.sub(r' (rowspan|colspan)="1"', "", body)
    # A number stays on one line with its interval; a bound in words would push the last column out of sight.
    body = re.sub(rf'<td class="n">([^<]{{{_LONG},}})</td>', r'<td class="n long">\1</td>', body)
    return re.sub(r"\n\s*", "\n", body)


def _keep_class(match: re.Match[str]) -> str:
    classes = match.group(1).split()
    if "gt_right" in classes:
        return ' class="n"'
    return ' class="group"' if "group" in classes else ""


def _read_aloud(cells: pd.DataFrame, headings: Mapping[str, str]) -> str:
    rows = [
        f"{row['row']}: "
        + ", ".join(f"{headings[column]} {row[column]}" for column in headings if str(row[column]).strip())
        for row in cells.to_dict("records")
    ]
    return ". ".join(rows) + ("." if rows else "")


def build_list_view(
    name: str,
    kind: str,
    releases: Release | tuple[Release, ...],
    entries: Sequence[tuple[str, str]],
    end: str = "",
) -> View:
    """Build the view of a description list: terms, each with a text; read aloud, a text ends with `end`."""
    rows = "".join(f"<dt>{html.escape(term)}</dt><dd>{write_html(text)}</dd>" for term, text in entries)
    alt = " ".join(f"{term}: {text}{end}" for term, text in entries)
    return build_view(name, kind, releases, f'<dl id="{{id}}">{rows}</dl>', alt=alt)
