"""From a result to what one audience may see."""

from outcomes.disclosure.decisions import Fate, Reason
from outcomes.disclosure.detail import choose_detail
from outcomes.disclosure.joint import Audit, audit_page
from outcomes.disclosure.page_context import PageContext, open_page
from outcomes.disclosure.policy import release
from outcomes.disclosure.ranges import find_range
from outcomes.disclosure.released import RELEASE_COLUMNS, Release
from outcomes.disclosure.rules import AUDIENCES, read_rules
from outcomes.disclosure.writing import MINUS, split_mark, write_number, write_value

__all__ = [
    "AUDIENCES",
    "MINUS",
    "RELEASE_COLUMNS",
    "Audit",
    "Fate",
    "PageContext",
    "Reason",
    "Release",
    "audit_page",
    "choose_detail",
    "find_range",
    "open_page",
    "read_rules",
    "release",
    "split_mark",
    "write_number",
    "write_value",
]
