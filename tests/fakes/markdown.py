"""The parts of our Markdown pages that a program can check: fenced blocks, tables, links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).parts,
)

_FENCE = re.compile(
    r"(?P<mark><!-- not run: [^>]+ -->\n)?"
    r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block. One that is not to be run has `<!-- not run: why -->` in the line before."""

    page: Path
    line: int
    kind: str
    text: str
    run: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(kind: str) -> list[Block]:
    """The blocks of one kind, such as `yaml`, that are to be run, in all pages."""
    return [block for page in PAGES for block in of(page) if block.kind == kind and block.run]


def of(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("kind")) + 1,
            match["kind"],
            match["text"],
            match["mark"] is None,
        )
        for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page can say after `#`."""
    plain = (heading.lower().replace("`", "") for heading in _HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def links(page: Path) -> list[str]:
    """Where the page's links lead."""
    return _LINK.findall(prose(page))


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, heads and rulers left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rulers = {index for index, row in enumerate(found) if set("".join(row)) <= set("-: ")}
    return [row for index, row in enumerate(found) if not {index, index + 1} & rulers]


def sections(page: Path) -> dict[str, str]:
    """The text under each heading, by the heading without backticks."""
    parts = re.split(_HEADING, prose(page))
    return dict(zip([head.replace("`", "") for head in parts[1::2]], parts[2::2], strict=True))
