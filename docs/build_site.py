"""Builds the documentation as a site, without a network: ``python docs/build_site.py``, some seconds; then open
``build/site/index.html``, or serve it: ``python -m http.server -d build/site``.

The pages are README.md, those of this folder, and one made of the library's docstrings. A link to a page or heading
that is not there ends the build. Links to other files of the repository become plain text: the site has none of them.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

# Pages of which the order matters, by heading; the others follow by name, before these.
LAST = {
    "Use": ["commands", "live", "replay", "importing", "notebook", "kafka", "containers", "settings", "bad-input"],
    "Data": ["tape", "features", "dictionary"],
    "Quality": ["figures", "scaling", "durability"],
    "Studies": ["study", "regime"],
    "Library": ["library"],
}

# What a notebook imports, by the heading of its part.
LIBRARY = {
    "From Python: `import tickwax as tw`": [
        "tickwax._replay.replay",
        "tickwax._reading.read_features",
        "tickwax._reading.read_tape",
        "tickwax._books.books",
        "tickwax._books.Book",
        "tickwax._books.book_arrays",
        "tickwax._books.BookArrays",
        "tickwax._synthetic.synthetic_tape",
        "tickwax._dictionary.features_dictionary",
    ],
    "Order flow": ["operators.ofi.OrderFlowImbalance", "operators.ofi.order_flow_imbalance"],
    "Fractional differences": [
        "operators.fracdiff.FractionalDifferentiator",
        "operators.fracdiff.frac_diff_ffd",
        "operators.fracdiff.get_weights_ffd",
        "operators.fracdiff.find_optimal_d",
        "operators.optimal_d.OptimalD",
    ],
    "Fractal dimension": ["operators.fractal.FractalDimensionIndex", "operators.fractal.fractal_dimension_index"],
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def settings(site: Path, nav: list[dict[str, object]]) -> dict[str, object]:
    """What Zensical is told; fonts come with the reader's machine."""
    options = {
        "extensions": [str(FOLDER / "fenced_examples.py")],
        "show_source": False,
        "heading_level": 3,
        "show_root_heading": True,
        "show_root_full_path": False,
        "merge_init_into_class": True,
        # Parameters that are described together have no entry each.
        "docstring_options": {"warn_unknown_params": False, "warn_missing_types": False},
    }
    return {
        "site_name": "tickwax",
        "docs_dir": "pages",
        "site_dir": str(site),
        "use_directory_urls": False,
        "nav": nav,
        "theme": {"font": False, "features": ["content.code.copy", "navigation.sections", "search.highlight"]},
        "plugins": {"mkdocstrings": {"handlers": {"python": {"paths": [str(ROOT)], "options": options}}}},
    }


def without_other_files(text: str, at: Path, pages: Path, docs: Path) -> str:
    """A page's text for its place among ``pages``: links to pages lead there, those to other files are text.

    Raises:
        SystemExit: a linked file is not there.
    """

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        if not target or re.match(r"\w+:", target):
            return found[0]
        file = (at.parent / target).resolve()
        if file.parent == docs.resolve():
            if file.suffix == ".md" or (pages / file.name).exists():
                return f"[{words}]({file.name}{anchor})"
        elif file == (ROOT / "README.md").resolve():
            return f"[{words}](index.md{anchor})"
        if not file.exists():
            raise SystemExit(f"{at}: a link to {target}, which is not there")
        return words

    return _LINK.sub(link, text)


def library() -> str:
    """The page of the library, for mkdocstrings."""
    parts = ["# The library"]
    for heading, names in LIBRARY.items():
        parts += [f"## {heading}", *(f"::: {name}" for name in names)]
    return "\n\n".join(parts) + "\n"


def title(page: Path) -> str:
    """The first heading of a page."""
    return next(line[2:] for line in page.read_text().splitlines() if line.startswith("# "))


def navigation(pages: Path) -> list[dict[str, object]]:
    """Every page once: the front page, those by name, and `LAST`."""
    placed = {name for names in LAST.values() for name in names}
    first = ["index", *sorted(p.stem for p in pages.glob("*.md") if p.stem not in placed | {"index"})]

    def entries(names: list[str]) -> list[dict[str, object]]:
        return [{title(pages / f"{name}.md"): f"{name}.md"} for name in names if (pages / f"{name}.md").exists()]

    return [*entries(first), *({heading: entries(names)} for heading, names in LAST.items() if entries(names))]


def build(docs: Path, work: Path) -> int:
    """Build ``work/site``; the exit code of Zensical."""
    pages = work / "pages"
    for old in (pages, work / "site"):
        shutil.rmtree(old, ignore_errors=True)
    pages.mkdir(parents=True)
    for picture in (*docs.glob("*.png"), *docs.glob("*.gif"), *docs.glob("*.svg")):
        shutil.copy(picture, pages)
    for page in docs.glob("*.md"):
        (pages / page.name).write_text(without_other_files(page.read_text(), page, pages, docs))
    if not (docs / "index.md").exists():
        front = ROOT / "README.md"
        (pages / "index.md").write_text(without_other_files(front.read_text(), front, pages, docs))
    (pages / "library.md").write_text(library())
    config = work / "zensical.toml"
    config.write_text(
        "".join(f"project.{key} = {toml(value)}\n" for key, value in settings(work / "site", navigation(pages)).items())
    )
    zensical = Path(sys.executable).with_name("zensical")
    return subprocess.run([zensical, "build", "--clean", "--strict", "--config-file", config], check=False).returncode


def toml(value: object) -> str:
    """A value as TOML; Zensical reads no JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Builds the documentation as a site.")
    parser.add_argument("--docs", type=Path, default=FOLDER, help="the pages")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder in which site/ is made anew")
    given = parser.parse_args()
    raise SystemExit(build(given.docs, given.out.resolve()))
