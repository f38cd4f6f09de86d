"""Check the built site: its pages load nothing from outside, links lead somewhere, and all that is public is described.

python docs/check_site.py build/docs
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAY_LOAD = {"try.html": "https://cdn.jsdelivr.net/pyodide/"}  # the one page that runs Python in the browser
LOADED = {"audio", "embed", "iframe", "img", "input", "object", "script", "source", "track", "video"}
PUBLIC = ["tensorgrad"]
PUBLIC += [
    f"tensorgrad.{name}"
    for name in ("callbacks", "data", "functional", "inspection", "layers", "onnx", "optim", "page", "parallel", "plot")
]
PUBLIC += [f"tensorgrad.{name}" for name in ("kernels", "losses", "saving", "sklearn", "testing", "torch")]
OUTSIDE = re.compile(r"^(https?:)?//")
FETCHED = re.compile(
    r"""(?:url\(\s*["']?|@import\s+["']|\b(?:fetch|import|importScripts)\(\s*["'`])((?:https?:)?//[^"'`)\s]+)"""
)


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that a link may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)
        self.loads += FETCHED.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads, links to, or is called."""
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag in LOADED:
            self.loads += [found[name] for name in ("src", "data", "poster") if name in found]
        if tag == "link" and found.get("rel") not in ("canonical", "author", "license"):
            self.loads.append(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


def undescribed(pages: dict[Path, Page]) -> Iterator[str]:
    """One line for each public name that no page of the reference has."""
    places = {place for path, page in pages.items() if path.parent.name == "reference" for place in page.places}
    described = {place.rpartition(".")[2] for place in places if place.startswith("tensorgrad.")}
    for module in map(importlib.import_module, PUBLIC):
        given = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in given:
            value = getattr(module, name)
            ours = getattr(value, "__module__", "").startswith("tensorgrad") and hasattr(value, "__qualname__")
            if ours and name not in described:
                yield f"the reference does not describe {module.__name__}.{name}"


def faults(folder: Path) -> Iterator[str]:
    """One line for each thing that is wrong."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        allowed = MAY_LOAD.get(name)
        for address in page.loads:
            if OUTSIDE.match(address) and not (allowed and address.startswith(allowed)):
                yield f"{name} loads {address}"
        if name.startswith("_modules/"):
            continue  # sources, whose way back Sphinx guesses where a name is imported elsewhere
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            if not target.exists():
                yield f"{name} links to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name} links to {address}, and there is no such place on that page"
    yield from undescribed(pages)
    for path in sorted(folder.rglob("*.css")):
        for address in FETCHED.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(folder).as_posix()} loads {address}"


def main() -> None:
    """Print what is wrong; fail if anything is."""
    folder = Path(sys.argv[1]).resolve()
    pages = len(list(folder.rglob("*.html")))
    found = list(faults(folder))
    print(*found, sep="\n")
    if found or not pages:
        raise SystemExit(f"{len(found)} faults on {pages} pages")
    print(f"{pages} pages: nothing is loaded from outside, and every link within the site leads somewhere")
    print("All that is public is in the reference")


if __name__ == "__main__":
    main()
