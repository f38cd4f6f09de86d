"""A network on a web page: draw, see every layer's maps, and teach it.

``export`` writes one file that needs no server; ``server`` adds gradients and training. The page itself is in static/.
"""

from tensorgrad.page.export import export_html
from tensorgrad.page.server import serve

__all__ = ["export_html", "serve"]


def __dir__() -> list[str]:
    return sorted(__all__)
