"""Checks every link inside of the built site: ``python docs/links.py docs/_build/html``."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The places of a page that can be linked to, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {found for key in ("id", "name") if (found := values.get(key))}
        self.links |= {found for key in ("href", "src") if (found := values.get(key))}


def broken(site: Path) -> list[str]:
    """What links to nothing, as "page: link"."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    found = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue  # somebody else's site
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchor = unquote(address.fragment)
            missing = not target.exists() or (
                target in pages and anchor and anchor not in pages[target].anchors
            )
            if missing:
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return sorted(found)


if __name__ == "__main__":
    dead = broken(Path(sys.argv[1]))
    print("\n".join(dead) or "every link inside of the site leads somewhere")
    sys.exit(bool(dead))
