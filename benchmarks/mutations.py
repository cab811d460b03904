"""How many random single changes of the code the tests notice.

Draws changes in some folders of `src/outcomes`: a comparison turned, a number or a yes or no changed, `and`
for `or`, `min` for `max`, `+` for `-`, a `not` or a `raise` dropped. Makes one at a time in a copy of the
project, and runs in one process, at low priority, the tests that concern the module until one fails: its own
examples, then files of tests that import it or a name that it defines, then those that share most rare words
with it. Files are taken in this order until their known times reach `--seconds`; those behind `--then` are
always run. Each file is first run without a change, which gives its time and whether it passes; `--times`
keeps that for later runs. A change under which tests take more than three times as long, and a minute, hangs,
which is noticed. Prints what was noticed, and each survivor as file, line and change. The same seed draws the
same changes. Seconds are those of a processor: with 60 a change, 60 changes take about an
hour of one core.

Run from anywhere, for some rooms or files:

    python benchmarks/mutations.py disclosure views --number 20 --seed 1 --times build/times.json

Without rooms it only counts the changes that are possible. Changed numbers of facts are tried by
`tests/slow/test_facts_mutations.py`, all of them.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src", "outcomes")
#: What the copy of the project is made of.
COPIED = (
    "src",
    "tests",
    "notebooks",
    "reports",
    "data",
    "docs",
    "benchmarks",
    "pyproject.toml",
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
#: Tests that take this many times as long as without a change, and so many seconds more, hang. Seconds are
#: those of a processor, so that other work on the machine counts for nothing; whoever waits so many times as
#: long hangs too.
HANGS, SECONDS_MORE, WAITS = 3, 60, 20
#: Files of tests that take longer are not used.
LONGEST = 300

_COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
}
_CALLS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Change:
    """One change: the text from `begin` to `end` of a file becomes `after`."""

    file: Path
    line: int
    begin: int
    end: int
    before: str
    after: str

    def apply(self, text: bytes) -> bytes:
        """Return the text of the file with the change in it."""
        return text[: self.begin] + self.after.encode() + text[self.end :]

    def __str__(self) -> str:
        before, after = (" ".join(side.split()) for side in (self.before, self.after))
        return f"{self.file.as_posix()}:{self.line}: {before} -> {after}"


class Finder(ast.NodeVisitor):
    """Finds the changes that are possible in a file."""

    def __init__(self, file: Path, text: bytes) -> None:
        self.file, self.text = file, text
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.changes: list[Change] = []

    def place(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def add(self, begin: int, end: int, after: str) -> None:
        line = self.text.count(b"\n", 0, begin) + 1
        before = self.text[begin:end].decode()
        self.changes.append(Change(self.file, line, begin, end, before, after))

    def replace_between(self, left: ast.AST, right: ast.AST, word: str, after: str) -> None:
        """Replace an operator that stands between two operands."""
        begin, end = self.span(left)[1], self.span(right)[0]
        pattern = rf"\b(?:{word})\b" if word[0].isalpha() else re.escape(word)
        found = re.search(pattern, self.text[begin:end].decode())
        if found:
            self.add(begin + found.start(), begin + found.end(), after)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            self.replace_between(left, right, *_COMPARISONS[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.replace_between(left, right, word, after)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        signs = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
        texts = any(
            isinstance(side, (ast.JoinedStr, ast.List, ast.Tuple)) for side in (node.left, node.right)
        )
        if type(node.op) in signs and not texts:
            self.replace_between(node.left, node.right, *signs[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            begin, end = self.span(node)[0], self.span(node.operand)[0]
            self.add(begin, end, "(" * self.text[begin:end].count(b"("))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        if name in _CALLS:
            end = self.span(called)[1]
            self.add(end - len(name), end, _CALLS[name])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add(*self.span(node), str(not node.value))
        elif isinstance(node.value, int | float):
            self.add(*self.span(node), repr(node.value + 1))

    def visit_Raise(self, node: ast.Raise) -> None:
        self.add(*self.span(node), "pass")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Pass over: the places within are not told alike by all versions of Python."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)


def list_changes(file: Path, text: bytes) -> list[Change]:
    """Return the changes that are possible in a file."""
    finder = Finder(file, text)
    finder.visit(ast.parse(text))
    return finder.changes


def list_modules(rooms: list[str]) -> list[Path]:
    """Return the modules of some folders or files of the package; of all where none is named."""
    found: set[Path] = set()
    for room in rooms or [""]:
        place = PROJECT / PACKAGE / room
        files = [place] if place.is_file() else list(place.rglob("*.py"))
        if not files:
            raise SystemExit(f"{PACKAGE / room} has no modules; name a folder or file below {PACKAGE}.")
        found |= {file.relative_to(PROJECT) for file in files}
    return sorted(found)


def name_module(file: Path) -> str:
    """Return the dotted name of a module given by its path in the project."""
    parts = file.relative_to("src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def list_words(text: str) -> set[str]:
    """Return the longer words of a file, as a name or a message holds them."""
    return set(re.findall(r"[A-Za-z]\w{4,}", text))


class Ranking:
    """Ranks tests by the rare words that they share with a module: names that it defines, what it says."""

    def __init__(self, tests: list[Path]) -> None:
        self.texts = {test: (PROJECT / test).read_text(encoding="utf-8") for test in tests}
        self.words = {test: list_words(text) for test, text in self.texts.items()}
        self.held = Counter(word for words in self.words.values() for word in words)

    def rank(self, module: Path) -> list[Path]:
        """Return the tests in the order in which they concern a module: those first that import of it."""
        text = (PROJECT / module).read_text(encoding="utf-8")
        name, own, defined = name_module(module), list_words(text), list_defined(text)

        def measure(test: Path) -> tuple[bool, float]:
            imports = name in self.texts[test] or bool(defined & list_imported(self.texts[test]))
            shared = sum(1 / self.held[word] for word in own & self.words[test])
            return imports or test.stem == f"test_{module.stem}", shared / len(self.words[test]) ** 0.5

        return sorted(self.texts, key=measure, reverse=True)


def list_defined(text: str) -> set[str]:
    """Return the names of the functions and classes of a module."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(text).body if isinstance(node, kinds)}


def list_imported(text: str) -> set[str]:
    """Return the names that a file imports from the package."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom))
    return {name.name for node in nodes if (node.module or "").startswith("outcomes") for name in node.names}


class Copy:
    """A copy of the project, in which one change at a time is made and tests are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "html", "released")
                shutil.copytree(source, folder / name, ignore=ignored)
            elif source.exists():
                shutil.copy2(source, folder / name)
        #: Seconds of a file of tests without a change; None where it fails.
        self.seconds: dict[str, float | None] = {}

    def run(self, tests: list[Path], limit: float) -> str | None:
        """Return which file of tests fails first, ``hangs`` for none in time, and None where all pass."""
        path = os.pathsep.join([str(self.folder / "src"), os.environ.get("PYTHONPATH", "")])
        options = ["-x", "-q", "-p", "no:cacheprovider", "-n", "0", "--no-header", "--tb=no", "-rfE"]
        command = [sys.executable, "-m", "pytest", *options, *map(str, tests)]

        def restrain() -> None:
            os.nice(15)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))

        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=restrain,
        )
        try:
            said, _ = process.communicate(timeout=WAITS * limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "hangs"
        if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return "hangs"
        if process.returncode in (0, 5):  # 5 says that no test was found, as in a module without examples
            return None
        failed = re.search(r"^(?:FAILED|ERROR) ([^\s:]+)", said, flags=re.MULTILINE)
        return failed[1] if failed else "ends"

    def time(self, test: Path) -> float | None:
        """Return the seconds of a file of tests without a change; None where it fails so too."""
        if str(test) not in self.seconds:
            before = os.times()
            failed = self.run([test], LONGEST)
            after = os.times()
            spent = sum(after[place] - before[place] for place in (2, 3))  # of children
            self.seconds[str(test)] = None if failed else spent
            if failed:
                print(f"  {test} fails without a change too, so that it counts for nothing", flush=True)
        return self.seconds[str(test)]

    def choose(self, ranked: list[Path], budget: float) -> list[Path]:
        """Return the first of some tests whose times add up to no more than a budget."""
        chosen, left = list[Path](), budget
        for test in ranked:
            seconds = self.time(test)
            if seconds is not None and (seconds <= left or not chosen):
                chosen.append(test)
                left -= seconds
            if left < budget / 10:
                break
        return chosen

    def notice(self, change: Change, tests: list[Path]) -> str | None:
        """Return what notices a change: a file of tests, or that they hang; None where nothing does."""
        target = self.folder / change.file
        text = target.read_bytes()
        limit = HANGS * sum(self.time(test) or 0.0 for test in tests) + SECONDS_MORE
        target.write_bytes(change.apply(text))
        try:
            return self.run([change.file, *tests], limit)
        finally:
            target.write_bytes(text)


def draw_changes(rooms: list[str], number: int, seed: int) -> list[Change]:
    """Draw changes, each of a module by itself as long as there are other modules."""
    draw = random.Random(seed)
    by_module = {file: list_changes(file, (PROJECT / file).read_bytes()) for file in list_modules(rooms)}
    pool = [change for changes in by_module.values() for change in draw.sample(changes, len(changes))]
    draw.shuffle(pool)
    taken: Counter[Path] = Counter()
    ordered = []
    for change in pool:
        ordered.append((taken[change.file], change))
        taken[change.file] += 1
    return [change for _, change in sorted(ordered, key=lambda entry: entry[0])[:number]]


def main() -> int:
    """Draw changes, run the tests on each, and print what nobody noticed."""
    parser = argparse.ArgumentParser(description="Change the code and see whether the tests notice.")
    parser.add_argument("rooms", nargs="*", help="folders or files below src/outcomes")
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--seconds", type=float, default=60, help="of tests for each change, before --then")
    parser.add_argument("--times", type=Path, help="file that keeps the seconds of each file of tests")
    parser.add_argument("--then", nargs="*", type=Path, default=[], help="files of tests to run afterwards")
    options = parser.parse_args()
    if not options.rooms:
        n_possible = sum(len(list_changes(file, (PROJECT / file).read_bytes())) for file in list_modules([]))
        print(f"mutations: {n_possible:,} changes are possible; name rooms to try some of them.")
        return 0
    files = [file.relative_to(PROJECT) for file in sorted((PROJECT / "tests").rglob("test_*.py"))]
    ranking = Ranking([file for file in files if "slow" not in file.parts])
    survivors, changes = [], draw_changes(options.rooms, options.number, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        if options.times and options.times.is_file():
            copy.seconds = json.loads(options.times.read_text(encoding="utf-8"))
        for number, change in enumerate(changes, 1):
            tests = copy.choose(ranking.rank(change.file), options.seconds)
            tests += [test for test in options.then if test not in tests and copy.time(test) is not None]
            if options.times:
                options.times.write_text(json.dumps(copy.seconds, indent=1), encoding="utf-8")
            start = time.perf_counter()
            noticed = copy.notice(change, tests)
            seconds = time.perf_counter() - start
            said = f"noticed by {noticed}" if noticed else "SURVIVED"
            print(f"{number:3} {said} ({seconds:.0f} s)  {change}", flush=True)
            if noticed is None:
                survivors.append(change)
    print(f"mutations: {len(changes) - len(survivors)} of {len(changes)} changes were noticed.")
    for change in survivors:
        print(f"  {change}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
