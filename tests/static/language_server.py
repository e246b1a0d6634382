"""pyright's language server, asked as an editor asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(slots=True)
class Editor:
    """An open file in an editor."""

    process: subprocess.Popen[bytes]
    file: Path
    number: int = 0
    said: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        pipe = self._pipe(self.process.stdin)
        pipe.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        pipe.flush()

    def _read(self) -> dict[str, Any]:
        pipe = self._pipe(self.process.stdout)
        length = 0
        while (line := pipe.readline().strip()) or not length:
            assert line or length, "the server has ended"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        found: dict[str, Any] = json.loads(pipe.read(length))
        return found

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe

    def tell(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def ask(self, method: str, parameters: Any) -> Any:
        self.number += 1
        self._send({"id": self.number, "method": method, "params": parameters})
        while True:
            message = self._read()
            self._note(message)
            if "method" in message and "id" in message:  # what the server asks of an editor
                empty = [{}] if message["method"] == "workspace/configuration" else None
                self._send({"id": message["id"], "result": empty})
            elif message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") != "textDocument/publishDiagnostics":
            return
        self.said = {}
        for one in message["params"]["diagnostics"]:
            self.said.setdefault(one["range"]["start"]["line"], []).append(one["message"])

    def diagnoses(self, line: int) -> list[str]:
        """What is underlined in a line."""
        while line not in self.said:
            self._note(self._read())
        return self.said[line]

    def _at(self, line: int, column: int) -> dict[str, Any]:
        document = {"uri": self.file.as_uri()}
        return {"textDocument": document, "position": {"line": line, "character": column}}

    def hover(self, line: int, column: int) -> str:
        """What a pointer over a place shows."""
        found = self.ask("textDocument/hover", self._at(line, column))
        return "" if found is None else str(found["contents"]["value"])

    def completions(self, line: int, column: int) -> list[str]:
        """The names that are offered behind a place, in order."""
        found = self.ask("textDocument/completion", self._at(line, column))
        items: list[dict[str, str]] = found["items"]
        ordered = sorted(items, key=lambda item: item.get("sortText", item["label"]))
        return [item["label"] for item in ordered]

    def definition(self, line: int, column: int) -> tuple[str, int]:
        """The file and the line that a name leads to."""
        (found,) = self.ask("textDocument/definition", self._at(line, column))
        start = found["range"]["start"]["line"]
        return found["uri"].rpartition("/")[2], start


@contextmanager
def opened(file: Path) -> Iterator[Editor]:
    """The server with one file open in it."""
    command = [sys.executable, "-m", "pyright.langserver", "--stdio"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL, cwd=file.parent) as process:
        editor = Editor(process, file)
        folder = {"uri": file.parent.as_uri(), "name": "project"}
        capable = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
        editor.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": capable,
            },
        )
        editor.tell("initialized", {})
        text = {
            "uri": file.as_uri(),
            "languageId": "python",
            "version": 1,
            "text": file.read_text(),
        }
        editor.tell("textDocument/didOpen", {"textDocument": text})
        try:
            yield editor
        finally:
            editor.ask("shutdown", None)
            editor.tell("exit", None)
