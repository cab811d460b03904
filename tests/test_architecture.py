"""The house keeps its plan: floors, rooms, words and sizes, as docs/architecture.md describes them."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from outcomes.facts import read_words
from outcomes.machine.offered import list_offered

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "outcomes"

#: Room to floor. A module imports from lower floors and from its own room only.
FLOORS = {
    "errors": 0,
    "machine": 1,
    "facts": 2,
    "result": 3,
    "records": 3,
    "synthetic": 4,
    "cohort": 4,
    "drafting": 4,
    "analyses": 5,
    "disclosure": 6,
    "views": 7,
    "reports": 8,
    "panel": 9,
    "cli": 10,
    "__init__": 10,
}
#: Library to the only rooms that may import it.
KEPT_IN = {
    "statsmodels": {"analyses", "disclosure"},
    "scipy": {"analyses", "disclosure"},
    "highspy": {"disclosure"},
    "matplotlib": {"views"},
    "seaborn": {"views"},
    "papermill": {"reports"},
    "nbconvert": {"reports"},
    "ipywidgets": {"panel"},
    "anywidget": {"panel"},
}
#: Absent on Windows, so never imported when a module is.
NOT_EVERYWHERE = {"fcntl", "resource", "pwd", "grp", "termios"}
#: Rooms of records, the lowest first: each imports from those before it, and only what is public there.
ROOMS_OF_RECORDS = ("files", "columns", "episodes", "scores", "checks", "gate")
#: Rooms within rooms that others enter by their ``__init__`` alone; each could be a package of its own.
FACES = ("outcomes.analyses.mmrm", "outcomes.disclosure.joint")
#: How many modules import one from the other at most, as they are loaded; to be lowered, never raised.
LONGEST_CHAIN = 24
#: Files that hold a table of data, which the formatter would write one entry a line, and which table that is.
TABLES_OF_DATA = {
    "cohort/selection.py": "the arguments of a question by their names",
    "reports/page.py": "parameters in the order of a file name",
    "reports/prose.py": "tags that prose may hold",
    "result.py": "columns of a result",
}
VAGUE = re.compile(r"^_?(utils?|helpers?|common|core|managers?|misc)$")
#: Words that the field has a better one for; see "Words" in docs/architecture.md.
SHUNNED = re.compile(r"(^|_)(treatments?|delta|df2|helper|utils?)(_|$)")

MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every imported dotted name with its line, wherever in the module it is imported."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((entry.name, node.lineno) for entry in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{_name(path)}:{node.lineno}: write the full name of what is imported"
            yield node.module or "", node.lineno
            if node.module == "outcomes":
                yield from ((f"outcomes.{entry.name}", node.lineno) for entry in node.names)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_from_lower_floors_and_its_own_room_only(path):
    room = _room(path)
    assert room in FLOORS, f"give the room {room!r} a floor"
    for name, line in _imports(path):
        parts = name.split(".")
        if parts[0] != "outcomes" or len(parts) == 1 or parts[1] == room:
            continue
        if parts[1] == "__version__":
            continue
        below = FLOORS.get(parts[1], FLOORS["__init__"])
        assert below < FLOORS[room], f"{_name(path)}:{line} imports {name} from its own floor or above"


@pytest.mark.parametrize("room", ROOMS_OF_RECORDS)
def test_rooms_of_records_import_from_lower_ones_and_only_what_these_offer(room):
    """What is public in its module is offered; it is imported from where it is defined."""
    below = ROOMS_OF_RECORDS[: ROOMS_OF_RECORDS.index(room)]
    for path in (PACKAGE / "records" / room).glob("*.py"):
        for name, line in _imports(path):
            inner = name.removeprefix("outcomes.records.")
            other = inner.partition(".")[0]
            if inner != name and other in {*ROOMS_OF_RECORDS, "reader", "checking"} - {room}:
                assert other in below, f"{_name(path)}:{line} imports {name}"
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ImportFrom):
                private = [entry.name for entry in node.names if entry.name.startswith("_")]
                assert not private, f"{_name(path)}:{node.lineno} imports {private}"


@pytest.mark.parametrize("face", FACES)
def test_a_room_within_a_room_is_entered_by_its_face(face):
    inside = PACKAGE.parent / face.replace(".", "/")
    for path in MODULES:
        if not path.is_relative_to(inside):
            for name, line in _imports(path):
                assert not name.startswith(f"{face}."), f"{_name(path)}:{line} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_libraries_stay_in_their_rooms(path):
    for name, line in _imports(path):
        rooms = KEPT_IN.get(name.split(".")[0])
        assert rooms is None or _room(path) in rooms, f"{_name(path)}:{line} imports {name}"


def test_only_the_panel_sees_individuals():
    for path in MODULES:
        named = any(name.startswith("outcomes.views.individual") for name, _ in _imports(path))
        assert not named or _room(path) == "panel", f"{_name(path)} imports views.individual"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_what_windows_lacks_is_not_imported_with_a_module(path):
    for node in _tree(path).body:
        names = [entry.name for entry in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not NOT_EVERYWHERE.intersection(names), f"{_name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_text_files_are_read_and_written_as_utf_8(path):
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in {"read_text", "write_text"}:
            named = {keyword.arg for keyword in node.keywords}
            assert "encoding" in named, f"{_name(path)}:{node.lineno}: {node.func.attr} without encoding"


def _public_functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in MODULES:
        for node in _tree(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield path, node


def test_no_public_function_shares_a_modules_name():
    modules = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    shared = [f"{_name(path)}: {node.name}" for path, node in _public_functions() if node.name in modules]
    assert not shared


def test_files_stay_readable_in_one_sitting():
    sizes = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: lines for name, lines in sizes.items() if lines > 400}


def test_there_are_fewer_than_300_files():
    assert len(MODULES) < 300


@functools.cache
def _chain(path: Path) -> tuple[Path, ...]:
    """Return the longest chain of modules that importing a module imports, one from the other."""
    found = {name: other for other in MODULES for name in [_dotted(other)]}
    needed = set()
    for node in _tree(path).body:
        if isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{entry.name}" for entry in node.names]
            needed |= {found.get(name) or found.get(node.module or "") for name in full}
        elif isinstance(node, ast.Import):
            needed |= {found.get(entry.name) for entry in node.names}
    chains = [_chain(other) for other in needed - {None, path}]
    return (path, *max(chains, key=len, default=()))


def _dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_a_chain_of_imports_stays_short():
    """What a function imports when it is called does not count."""
    longest = max(map(_chain, MODULES), key=len)
    assert len(longest) <= LONGEST_CHAIN, " > ".join(map(_dotted, longest))


def test_code_is_laid_out_by_the_formatter_but_for_tables_of_data():
    texts = {_name(path): path.read_text(encoding="utf-8") for path in MODULES}
    skipped = {name: text.count("# fmt: skip") for name, text in texts.items()}
    assert {name for name, times in skipped.items() if times} <= TABLES_OF_DATA.keys()
    assert max(skipped.values()) <= 1 and not [name for name, text in texts.items() if "# fmt: off" in text]


def test_names_say_something():
    vague = [_name(path) for path in MODULES if VAGUE.match(path.stem) or VAGUE.match(path.parent.name)]
    assert not vague


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_one_word_for_one_thing(path):
    for node in ast.walk(_tree(path)):
        names = []
        if isinstance(node, ast.FunctionDef):
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            names = [node.name, *(argument.arg for argument in every)]
        elif isinstance(node, ast.ClassDef):
            names = [node.name]
        shunned = [name for name in names if SHUNNED.search(name)]
        assert not shunned, f"{_name(path)}:{node.lineno}: {shunned}"


def test_only_the_command_line_catches_the_packages_errors():
    """Rooms may gather errors of one kind to raise them at once; none swallows the whole family."""
    for path in MODULES:
        if _room(path) in {"cli", "panel"}:
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = [
                    part.id for part in ast.walk(node.type or ast.Name("bare")) if isinstance(part, ast.Name)
                ]
                assert not {"OutcomesError", "BaseException", "bare"} & set(caught), (
                    f"{_name(path)}:{node.lineno}"
                )


def test_every_analysis_stands_in_the_description_of_the_house():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \| `\w+\(", text, flags=re.MULTILINE)
    folder = PACKAGE / "analyses"
    assert described == sorted(path.stem for path in folder.glob("[!_]*.py"))
    assert all(f"`{path.parent.name}/`" in text for path in folder.glob("*/__init__.py"))


def _list_offered(path: Path) -> list[str]:
    """Return the names in a module's ``__all__``."""
    held = [node for node in _tree(path).body if isinstance(node, ast.Assign)]
    return [
        name
        for node in held
        if ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    ]


@pytest.mark.parametrize("room", ["analyses", "views"])
def test_a_folder_is_the_registry(room):
    """What the modules offer is found without importing them, and nothing is offered twice."""
    offered = {path: _list_offered(path) for path in (PACKAGE / room).glob("[!_]*.py")}
    expected = [(name, f"outcomes.{room}.{path.stem}") for path, names in offered.items() for name in names]
    assert sorted(list_offered(f"outcomes.{room}").items()) == sorted(expected) and len(expected) > 20


@pytest.mark.parametrize("path", sorted((PACKAGE / "analyses").glob("[!_]*.py")), ids=_name)
def test_an_analysis_offers_one_function_and_has_a_name_and_a_method(path):
    (name,) = _list_offered(path)
    assert name in {node.name for node in _tree(path).body if isinstance(node, ast.FunctionDef)}
    said = read_words().list(f"methods.{path.stem}")
    assert said["name"] and any(key.startswith("method") for key in said)


def test_every_view_is_offered():
    for path in (PACKAGE / "views").glob("[!_]*.py"):
        made = [
            node.name
            for node in _tree(path).body
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "View"
        ]
        views = [name for name in made if re.match(r"draw_|tabulate_|say_", name)]
        assert sorted(_list_offered(path)) == sorted(views), f"{_name(path)}: name its views in __all__"


def test_every_room_stands_in_the_description_of_the_house():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room in {_room(path) for path in MODULES} - {"__init__"}:
        assert f"`{room}" in text or f"{room}.py" in text or f"{room}/" in text, room


#: Folders and files that the program makes in a project; none of them is in git.
MADE = re.compile(r"\.outcomes/|data/views/|reports/(html|released)/|(index\.html|release-record\.json)$")


@pytest.mark.parametrize(
    "page", ["docs/architecture.md", "docs/privacy.md", "docs/exploring.md", "CONTRIBUTING.md"]
)
def test_every_file_and_folder_that_a_page_names_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("<language>", "en")
    named = set(re.findall(r"`([\w./-]+(?:\.(?:py|pyi|toml|yaml|md|ipynb|json|html)|/))`", text))
    folders = ("src", "tests", "docs", "notebooks", "reports")
    known = {path.name for folder in folders for path in (ROOT / folder).rglob("*")}
    places = {name.rstrip("/") for name in named if not MADE.match(name)} - known
    assert named and not [
        name for name in places if not ((ROOT / name).exists() or (PACKAGE / name).exists())
    ]


def test_every_kind_of_thing_that_is_added_has_its_places():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## To add something")[2].partition("\n## ")[0]
    rows = {row.split("|")[1]: row.split("|")[2:4] for row in table.splitlines() if row.startswith("| ")}
    kinds = (
        "analysis", "view", "word", "language", "statistic", "finding", "pattern of the gate", "instrument",
        "source", "report", "covariate", "therapy",
    )  # fmt: skip
    for kind in kinds:
        (places,) = (row for name, row in rows.items() if name.strip().startswith(kind))
        assert all("`" in part for part in places), kind


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_committed_without_outputs(path):
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        assert not cell.get("outputs") and not cell.get("execution_count"), f"cell {number} holds outputs"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_begin_with_a_question_and_their_parameters(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for node in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(node, ast.Assign | ast.AnnAssign), "parameters are plain assignments"


@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path.stem != "explore"], ids=lambda path: path.name
)
def test_report_notebooks_hold_a_few_plain_lines(path):
    forbidden = ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            assert not isinstance(node, forbidden), f"{path.name}: a loop or definition wants a verb"
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or node.names[0].name
                assert module.split(".")[0] == "outcomes", f"{path.name} imports {module}"


def _texts(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the string literals of a module that are no docstrings, with their lines."""
    tree = _tree(path)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value, node.lineno


@pytest.mark.parametrize("path", [path for path in MODULES if _room(path) != "synthetic"], ids=_name)
def test_what_the_field_knows_stands_in_facts_not_in_code(path):
    """No module names an instrument, a threshold or a therapy, but for the made-up clinic itself."""
    from outcomes.facts import list_instruments, read_instrument, read_therapies

    thresholds = {entry.id for id in list_instruments() for entry in read_instrument(id).thresholds}
    # "other" is an everyday word, not only a therapy.
    known = {*list_instruments(), *thresholds, *read_therapies()} - {"other"}
    named = [f"{_name(path)}:{line}: {text!r}" for text, line in _texts(path) if text in known]
    assert not named, "read it from the facts or the source"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_left_to_do_later(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"raise NotImplementedError|\b(TODO|FIXME|XXX)\b", text)
