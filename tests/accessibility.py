"""Show pages of the built site, on a light screen and on a dark phone, to axe-core; fail if it finds anything.

python tests/accessibility.py build/docs          one page of each kind
python tests/accessibility.py build/docs --all    every page
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser import SCHEMES, axe, resize, started, violations

KINDS = ["index", "tutorial/04-convolution", "how-to", "gallery", "examples", "coming-from", "try", "reference/optim"]
KINDS += ["operations", "engine", "performance", "scaling", "search"]
VIEWS = (("light", 1300), ("dark", 390))


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which the folder is served, to this machine alone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    """Print what is wrong with each page; fail if anything is."""
    folder = Path(sys.argv[1]).resolve()
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    pages = [page for page in pages if not page.startswith("_modules/")]  # sources
    if sys.argv[2:] != ["--all"]:
        pages = [page for page in pages if page.removesuffix(".html") in KINDS]
    wrong = 0
    with served(folder) as address, tempfile.TemporaryDirectory() as scratch:
        source = axe(Path(scratch))
        for scheme, width in VIEWS:
            browser = started(*SCHEMES[scheme])
            try:
                resize(browser, width)
                for page in pages:
                    browser.get(f"{address}/{page}")
                    for rule, elements in violations(browser, source):
                        print(f"{page}, {scheme}, {width} wide: {rule}", *elements, sep="\n    ")
                        wrong += 1
            finally:
                browser.quit()
    if wrong or not pages:
        raise SystemExit(f"{wrong} violations on {len(pages)} pages")
    print(f"axe-core has no complaint about {len(pages)} pages, each on a light screen and on a dark phone")


if __name__ == "__main__":
    main()
