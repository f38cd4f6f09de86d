"""Check the built site: its pages load nothing from outside, and every link within it leads somewhere.

python docs/check_site.py build/docs
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAY_LOAD = {"try.html": "https://cdn.jsdelivr.net/pyodide/"}  # the one page that runs Python in the browser
LOADED = {"audio", "embed", "iframe", "img", "input", "object", "script", "source", "track", "video"}
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


def faults(folder: Path) -> Iterator[str]:
    """One line for each thing that is loaded from outside, and for each link that leads nowhere."""
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


if __name__ == "__main__":
    main()
