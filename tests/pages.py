"""Pages of HTML, as a browser would read them."""

from __future__ import annotations

from html.parser import HTMLParser


class _Page(HTMLParser):
    """The texts of a page; ValueError where its tags do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(page)
        self.close()
        if self.open:
            raise ValueError(f"never closed: {self.open}")

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f"closed out of order: {tag}")

    def handle_data(self, data):
        self.texts.append(data)


def texts_of(page):
    """The texts of a page, one after the other."""
    return _Page(page).texts
