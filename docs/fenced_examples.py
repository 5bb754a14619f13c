"""For `build_site.py`: examples in docstrings become code blocks, or the brackets of a list would be links."""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"(?:^>>> .*\n?(?:^(?!$).*\n?)*)+", re.MULTILINE)


class FencedExamples(griffe.Extension):
    """Puts examples that stand at the margin of a docstring into fences."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(lambda e: f"```pycon\n{e[0].rstrip()}\n```\n", obj.docstring.value)
