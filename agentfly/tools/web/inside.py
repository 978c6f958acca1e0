"""The program that makes text of a page's HTML, in a process of its own: parsers cannot be interrupted, processes can.

Reads one JSON object from its input (``html``, ``url``, ``seconds``, ``megabytes``) and writes one to its output: ``title``,
``text`` (Markdown, in which ``⟦n⟧`` stands behind the text of link n), ``links`` ([url, text] pairs), ``whole`` (false where
the main text could not be found and all visible text is given), or ``missing``, the name of a package that is not installed.
Uses nothing of agentfly, so that it starts fast.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from typing import Any
from urllib.parse import urljoin

_ELEMENTS = 120_000
"""Elements up to which the main text is looked for; it takes about a second for each 25,000."""
_LINKS = 1500
_LINK_TEXT = 120
_URL = 1000
_TITLE = 300
_FEW = 200
"""Characters under which what was found cannot be the main text of a page that shows much more."""
_SHARE = 8
_GONE = ("script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "head", "select", "textarea")
_FRAME = ("nav", "header", "footer", "aside")
_BLOCKS = frozenset(
    """address article aside blockquote br dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr
    li main nav ol p pre section table tbody tfoot thead tr ul""".split()  # noqa: SIM905  # shorter
)
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|font-size\s*:\s*0+(\.0*)?\s*(px|pt|em|rem|%)?\s*(;|!|$)"
    r"|opacity\s*:\s*0*(\.0*)?\s*(;|!|$)|(?<![-\w])(left|top|text-indent)\s*:\s*-\d{4,}",
    re.I,
)
_INVISIBLE = "//*[@hidden or @aria-hidden='true' or @style or self::template or self::noscript]"


class Late(Exception):
    """The time for a stage is over."""


def main() -> None:
    """Read the task, limit this process, write what was found."""
    task = json.loads(sys.stdin.buffer.read())
    room = task["megabytes"] << 20
    try:
        import trafilatura  # noqa: F401  # before the limits, and to know whether it is there
    except ImportError as error:
        _answer({"missing": error.name or str(error)})
        return
    seconds = int(task["seconds"]) + 2  # with what starting takes
    for which, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_AS, room),
    ):
        if which != resource.RLIMIT_AS or sys.platform == "linux":
            resource.setrlimit(which, (amount, amount))
    _answer(read(task["html"], task["url"], task["seconds"]))


def _answer(found: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(found).encode("ascii"))
    sys.stdout.buffer.flush()


def read(html: str, url: str, seconds: float) -> dict[str, Any]:
    """The text of a page.

    Args:
        html: may be anything.
        url: where it lies, for its relative links.
        seconds: for all of it; two thirds of them may be spent on finding the main text.
    """
    tree = _parse(html)
    if tree is None:
        return {"title": "", "text": "", "links": [], "whole": False}
    title = _title(tree)
    strip(tree)
    links = _number_links(tree, url)
    try:
        text = _within(seconds * 2 / 3, tree, url) if tree.xpath("count(//*)") <= _ELEMENTS else ""
    except (Late, RecursionError, MemoryError):
        text = ""
    everything = visible(tree)
    whole = len(text) >= min(_FEW, len(everything) // _SHARE)
    return {"title": title, "text": text if whole else everything, "links": links, "whole": whole}


def _parse(html: str) -> Any:
    from lxml import etree  # type: ignore[import-untyped,unused-ignore]
    from lxml import html as parser

    data = html.replace("\x00", "").encode("utf-8", "replace")
    try:
        return parser.document_fromstring(
            data, parser=parser.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None  # nothing in it


def _title(tree: Any) -> str:
    for path in ("//meta[@property='og:title']/@content", "//title/text()", "//h1//text()"):
        text = " ".join(" ".join(tree.xpath(path)[:20]).split())
        if text:
            return text[:_TITLE]
    return ""


def strip(tree: Any) -> None:
    """Remove what a reader of the page does not see."""
    for element in tree.xpath(_INVISIBLE):
        if element.getparent() is not None and element.tag != "body" and _hidden(element):
            element.drop_tree()


def _hidden(element: Any) -> bool:
    if (
        element.tag in ("template", "noscript")
        or element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
    ):
        return True
    return bool(_HIDING.search((element.get("style") or "")[:2000]))


def _number_links(tree: Any, url: str) -> list[list[str]]:
    """Mark each link worth following with its number in the text; those of the main part come first."""
    base = _absolute(url, next(iter(tree.xpath("//base/@href")), "")) or url
    numbers: dict[str, int] = {}
    links: list[list[str]] = []
    here = url.partition("#")[0]
    for anchor in _anchors(tree):
        target = _absolute(base, anchor.get("href"))
        text = " ".join(anchor.text_content()[: 4 * _LINK_TEXT].split())[:_LINK_TEXT]
        if not target or target == here or not text:
            continue
        if target not in numbers:
            if len(links) == _LINKS:
                break
            links.append([target, text])
            numbers[target] = len(links)
        mark = f"⟦{numbers[target]}⟧"
        if len(anchor):
            anchor[-1].tail = (anchor[-1].tail or "") + mark
        else:
            anchor.text = (anchor.text or "") + mark
    return links


def _anchors(tree: Any) -> list[Any]:
    """Links in the order of the page, those of its frame after all others."""
    from lxml import etree

    main: list[Any] = []
    frame: list[Any] = []
    depth = 0
    for event, element in etree.iterwalk(tree, events=("start", "end"), tag=("a", *_FRAME)):
        if element.tag in _FRAME:
            depth += 1 if event == "start" else -1
        elif event == "start" and element.get("href") is not None:
            (frame if depth else main).append(element)
    return main + frame


def _absolute(base: str, href: str) -> str:
    if len(href) > _URL:
        return ""
    try:
        target = urljoin(base, href.strip()).partition("#")[0]
    except ValueError:
        return ""
    return target if target[:7].lower() == "http://" or target[:8].lower() == "https://" else ""


def _within(seconds: float, tree: Any, url: str) -> str:
    """The main text as trafilatura finds it. The alarm is heard between two calls of the parser.

    Raises:
        Late: it took too long.
    """
    import copy

    import trafilatura

    def ring(*_: object) -> None:
        raise Late

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        found = trafilatura.extract(
            copy.deepcopy(tree), url=url, output_format="markdown", favor_recall=True, with_metadata=False
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return found or ""


def visible(tree: Any) -> str:
    """All text that a browser would show, a line for each block."""
    parts: list[str] = []
    skipped = 0
    from lxml import etree

    for event, element in etree.iterwalk(tree, events=("start", "end")):
        gone = element.tag in _GONE
        if event == "start":
            skipped += gone
            if not skipped:
                parts += (
                    "\n" if element.tag in _BLOCKS else " | " if element.tag in ("td", "th") else "",
                    element.text or "",
                )
            continue
        skipped -= gone
        if not skipped:
            parts += ("\n" if element.tag in _BLOCKS else "", element.tail or "")
    lines = (" ".join(line.split()).strip("| ") for line in "".join(parts).splitlines())
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    main()
