"""The shell in which a forked child runs cells: IPython's own, its outputs kept as a kernel sends them."""

import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from nbformat.v4 import new_output
from traitlets import Type
from traitlets.config import Config


class Outputs:
    """What a cell showed, in order."""

    def __init__(self) -> None:
        self.kept: list[NotebookNode] = []
        #: Outputs that may be shown anew, by the id of their display.
        self.named: dict[str, list[NotebookNode]] = {}
        self._clear_first = False

    def show(self, kind: str, data: dict[str, Any], metadata: dict[str, Any], **further: Any) -> NotebookNode:
        """Keep a display or a result."""
        from ipykernel.jsonutil import encode_images, json_clean

        output = new_output(
            kind, json_clean(encode_images(data)), metadata=json_clean(metadata or {}), **further
        )
        self.append(output)
        return output

    def write(self, name: str, text: str) -> None:
        """Keep what was printed, joined to what was printed just before."""
        last = None if self._clear_first or not self.kept else self.kept[-1]
        if last is not None and last.output_type == "stream" and last.name == name:
            last.text += text
        else:
            self.append(new_output("stream", name=name, text=text))

    def update(self, id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show named outputs anew, wherever they are."""
        for output in self.named.get(id, ()):
            output.data, output.metadata = NotebookNode(data), NotebookNode(metadata or {})

    def clear(self, wait: bool) -> None:
        """Forget what was shown, at once or when something new comes."""
        self._clear_first = wait
        if not wait:
            self.kept.clear()

    def take(self) -> list[NotebookNode]:
        """Return what was kept, and begin anew."""
        taken, self.kept, self._clear_first = self.kept, [], False
        return taken

    def append(self, output: NotebookNode) -> None:
        """Keep an output."""
        if self._clear_first:
            self.kept.clear()
            self._clear_first = False
        self.kept.append(output)


class _Stream:
    """Standard output or error of a cell."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, outputs: Outputs) -> None:
        self.name, self._outputs = name, outputs

    def write(self, text: str) -> int:
        if text:
            self._outputs.write(self.name, str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing; nothing is held back."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2


class _Results(DisplayHook):
    """Keeps the value of a cell's last line."""

    def write_output_prompt(self) -> None:
        """Write none: a result carries its number."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        shell: Any = self.shell
        shell.outputs.show("execute_result", format_dict, md_dict, execution_count=self.prompt_count)

    def finish_displayhook(self) -> None:
        """End without an empty line."""


class _Displays(DisplayPublisher):
    """Keeps what is displayed."""

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        *args: Any,
        transient: Any = None,
        update: bool = False,
        **kw: Any,
    ) -> None:
        outputs, id = self.shell.outputs, (transient or {}).get("display_id")
        if update and id:
            outputs.update(id, data, metadata)
            return
        shown = outputs.show("display_data", data, metadata)
        if id:
            outputs.named.setdefault(id, []).append(shown)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear(wait)


class CellShell(InteractiveShell):
    """An IPython shell that returns what each cell showed."""

    displayhook_class = Type(_Results)
    display_pub_class = Type(_Displays)

    def __init__(self, **kw: Any) -> None:
        self.outputs = Outputs()
        super().__init__(**kw)

    def run(self, source: str) -> tuple[list[NotebookNode], BaseException | None]:
        """Run a cell; return its outputs, and the error that ended it."""
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("stdout", self.outputs), _Stream("stderr", self.outputs)
        try:
            result = self.run_cell(source, store_history=True)
        finally:
            sys.stdout, sys.stderr = before
        error = result.error_before_exec or result.error_in_exec
        outputs = self.outputs.take()
        if error is not None and not any(output.output_type == "error" for output in outputs):
            kind = type(error).__name__
            outputs.append(new_output("error", ename=kind, evalue=str(error), traceback=[kind]))
        return outputs, error

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: there is no window."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.outputs.append(
            new_output("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb))
        )


def build_shell() -> CellShell:
    """Return a fresh shell that keeps no history and shows figures as a kernel does."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 1000
    shell: CellShell = CellShell.instance(config=config)
    shell.run_line_magic("matplotlib", "inline")
    return shell
