"""A value is frozen, so that whoever is handed one may keep it; only what gathers as it goes changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "outcomes"
#: Classes of data that are filled or added to after they are made.
GATHERING = {
    "analyses/_clusters.py": {"Shares", "JointShares", "ClusterSums"},
    "analyses/mmrm/design.py": {"PatternSums"},
    "analyses/mmrm/frame_pass.py": {"Description"},
    "disclosure/joint/page.py": {"ShownNumbers"},
    "drafting/sketch.py": {"Sketch"},
    "records/codes.py": {"_Codes"},
    "records/columns/part.py": {"Part"},
    "records/files/file_reader.py": {"OpenedFile"},
    "records/files/workbook.py": {"SheetStructure"},
    "reports/page.py": {"Section"},
}


def list_open(text: str) -> Iterator[str]:
    """Yield the classes of data of a module whose fields can be set again."""
    for node in ast.walk(ast.parse(text)):
        for made in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            options = {entry.arg: ast.unparse(entry.value) for entry in getattr(made, "keywords", ())}
            if ast.unparse(made).startswith("dataclass") and options.get("frozen") != "True":
                yield node.name


def test_what_can_be_set_again_is_found():
    assert list(list_open("@dataclass\nclass A: ...\n@dataclass(frozen=False)\nclass B: ...")) == ["A", "B"]
    assert not list(list_open("@dataclass(frozen=True, eq=False)\nclass A: ...\nclass B: ..."))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_a_class_of_data_is_frozen_unless_it_gathers(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    assert set(list_open(path.read_text(encoding="utf-8"))) == GATHERING.get(name, set())
