"""Tables as HTML: few rules, numbers at the right, every header with its scope, the caption within."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.views.released_rows import explain_mark
from outcomes.views.text import write_html
from outcomes.views.view import View, build_view

#: From so many characters on, a cell may take several lines.
_LONG = 26


def build_table_view(
    name: str,
    releases: tuple[Release, ...],
    cells: pd.DataFrame,
    *,
    stub: str,
    headings: Mapping[str, str],
    caption: str,
    released: pd.DataFrame,
    groups: Sequence[str] | None = None,
) -> View:
    """Build the view of a table from cells that are text already.

    Parameters
    ----------
    name : str
    releases : tuple of Release
    cells : pandas.DataFrame
        One row per row of the table: column ``row`` its header, the others as in `headings`.
    stub : str
        Heading of the row headers.
    headings : mapping
        Column of `cells` to its heading, in order.
    caption : str
    released : pandas.DataFrame
        The rows of the release that it shows.
    groups : sequence of str, optional
        For each row the heading of the block that it stands in.
    """
    caption = " ".join(filter(None, [caption, explain_mark(released)]))
    fragment = render_table(cells, stub=stub, headings=headings, caption=caption, groups=groups)
    alt = f"{caption} {_read_aloud(cells, headings)}"
    table = released.drop(columns=["shown"], errors="ignore").reset_index(drop=True)
    return build_view(name, "table", releases, fragment, alt=alt, caption=caption, table=table)


def render_table(
    cells: pd.DataFrame,
    *,
    stub: str,
    headings: Mapping[str, str],
    caption: str,
    groups: Sequence[str] | None = None,
) -> str:
    """Return a table as HTML, made by great-tables, with the page's own few classes.

    great-tables gives headers their scope and escapes texts; its style sheet (9 kB a table, with rules that
    reach beyond it) is left out, the caption it has no place for is put in.

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
        for row in cells.fillna("").to_dict("records")
    ]
    return ". ".join(rows) + ("." if rows else "")


def render_list(entries: Sequence[tuple[str, str]]) -> str:
    """Return a description list as HTML, every text escaped.

    Examples
    --------
    >>> render_list([("Instrument", "ODI <2.1a>")])
    '<dl id="{id}"><dt>Instrument</dt><dd>ODI &lt;2.1a&gt;</dd></dl>'
    """
    rows = "".join(f"<dt>{html.escape(term)}</dt><dd>{write_html(text)}</dd>" for term, text in entries)
    return f'<dl id="{{id}}">{rows}</dl>'
