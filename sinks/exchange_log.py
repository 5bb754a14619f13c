"""Every exchange with a reflector's endpoint, a file each: a reply is an input, and a replay reads it here."""

import json
import os
from pathlib import Path
from typing import Any

from sinks.disk import cannot_write, sync


class ExchangeLog:
    """Files ``NNNNNN-<question>.json`` in a folder. The key is in none of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, question: str) -> str | None:
        """The newest whole reply to a question, by its SHA-256; None if it was never answered."""
        for said in reversed([said for name, said in self._read() if name == question[:16]]):
            if not said.get("problem"):
                return str(said["text"])
        return None

    def spent(self) -> tuple[int, float]:
        """Tokens and money of all exchanges so far."""
        there = [said for _, said in self._read()]
        return sum(int(said["tokens"]) for said in there), sum(float(said["cost"]) for said in there)

    def keep(self, question: str, exchange: dict[str, Any]) -> None:
        """Note an exchange; it is on the disk when this returns.

        Raises:
            TickwaxError: it cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = 1 + max((int(path.name[:6]) for path in self._files()), default=0)
            file = self._folder / f"{number:06}-{question[:16]}.json"
            part = file.with_name(f".{file.name}.{os.getpid()}")
            part.write_text(json.dumps(exchange, indent=1), "utf-8")
            sync(part)
            os.replace(part, file)
            sync(self._folder)
        except OSError as e:
            raise cannot_write(self._folder, e) from e

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("[0-9]*-*.json") if path.name[:6].isdigit())

    def _read(self) -> list[tuple[str, dict[str, Any]]]:
        """What can be read: a damaged exchange is as none, and its question is asked again."""
        out = []
        for path in self._files():
            try:
                said = json.loads(path.read_text("utf-8"))
                if {"text", "tokens", "cost"} <= said.keys():
                    out.append((path.stem[7:], said))
            except (OSError, ValueError, AttributeError):
                continue
        return out
