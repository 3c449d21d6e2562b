"""What the documentation says: its blocks of code, its commands, its links.

Commands are those of fenced `sh` blocks, of indented blocks, and of `code` in a sentence. Comments
behind a command and `code` that is no whole command are mentions: checked, but not run.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
GENERATED = "docs/cli.md"
_PROGRAMS = ("netlab", "python", "python3", "pip", "pytest")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+")
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
# What a reader is to put something else for: RUN, KEY=VALUE, runs/…/best.safetensors.
_OPEN = re.compile(r"[A-Z]+(=[A-Z]+)?|.*….*")


class Block(NamedTuple):
    """A block of code."""

    file: str
    line: int
    language: str
    text: str
    before: str
    """The document up to it."""


class Command(NamedTuple):
    """A command line of a document."""

    file: str
    line: int
    section: str
    words: tuple[str, ...]
    stdin: str | None = None
    """The file that is its input; `|` where that is the output of the command before."""
    stdout: str | None = None
    mention: bool = False

    @property
    def text(self) -> str:
        return shlex.join(self.words)

    @property
    def program(self) -> str:
        return Path(self.words[0]).name

    @property
    def flags(self) -> list[str]:
        return [word.partition("=")[0] for word in self.words if re.match(r"--?[a-z]", word)]


class Document:
    """One Markdown file of the tree.

    Args:
        file: its path in the tree.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.text = (ROOT / file).read_text(encoding="utf-8")
        # Lines stay where they are, so that all places are lines of the file.
        unfenced = _FENCE.sub(_blank, self.text)
        self.prose = _INDENTED.sub(_blank, unfenced)
        self._unfenced = unfenced

    def blocks(self) -> list[Block]:
        fenced = [(m.start(2), m[1], m[2]) for m in _FENCE.finditer(self.text)]
        indented = [
            (m.start(), "sh", re.sub(r"^ {4}", "", m[0], flags=re.MULTILINE))
            for m in _INDENTED.finditer(self._unfenced)
        ]
        return [
            Block(self.file, _line(self.text, start), language, text, self.text[:start])
            for start, language, text in sorted(fenced + indented)
        ]

    def spans(self) -> Iterator[tuple[int, str]]:
        """Line and text of all `code` in sentences and tables."""
        for found in _SPAN.finditer(self.prose):
            yield _line(self.prose, found.start()), " ".join(found[1].split())

    def commands(self) -> list[Command]:
        """All commands, in the order of the document; each one in a sentence only once."""
        found = [c for b in self.blocks() if b.language == "sh" for c in self._in_block(b)]
        known = {command.words for command in found}
        for line, text in self.spans():
            if text.split()[0] not in _PROGRAMS:
                continue
            for command in self._parsed(line, text):
                if command.words not in known:
                    known.add(command.words)
                    whole = len(command.words) > 2 and not any(map(_OPEN.fullmatch, command.words))
                    found.append(command._replace(mention=not whole))
        return sorted(found, key=lambda command: command.line)

    def links(self) -> Iterator[tuple[int, str]]:
        """Line and target of all links and pictures."""
        for found in _LINK.finditer(self.prose):
            yield _line(self.prose, found.start()), found[1]

    def anchors(self) -> set[str]:
        """What a link to a heading may say behind the `#`."""
        titles = [m[2].lower().replace("`", "") for m in _HEADING.finditer(self.prose)]
        return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}

    def section(self, line: int) -> str:
        """The heading that a line stands under."""
        above = "\n".join(self.prose.split("\n")[:line])
        return ([""] + [m[2] for m in _HEADING.finditer(above)])[-1]

    def _in_block(self, block: Block) -> Iterator[Command]:
        line, text = block.line, ""
        for number, more in enumerate(block.text.split("\n")):
            text += more
            if text.endswith("\\"):
                text = text[:-1]
                continue
            yield from self._parsed(line, text)
            comment = text.rpartition("#")[2] if "#" in text else ""
            for mention in re.findall(r"netlab [^;,]+", comment):
                for command in self._parsed(line, mention):
                    yield command._replace(mention=True)
            line, text = block.line + number + 1, ""

    def _parsed(self, line: int, text: str) -> Iterator[Command]:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        ways: dict[str, str | None] = {"<": None, ">": None}
        tokens = iter([*lexer, ";"])
        for token in tokens:
            if token in ways:
                ways[token] = next(tokens)
            elif token not in (";", "&&", "|"):
                words.append(token)
            elif words:
                section = self.section(line)
                yield Command(self.file, line, section, tuple(words), ways["<"], ways[">"])
                words, ways = [], {"<": "|" if token == "|" else None, ">": None}


def _line(text: str, start: int) -> int:
    return text.count("\n", 0, start) + 1


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def documents() -> list[Document]:
    """All Markdown files for readers but the changelog."""
    places = ("README.md", "docs/*.md", "examples/**/*.md", "src/**/*.md")
    files = [path for place in places for path in sorted(ROOT.glob(place))]
    return [Document(path.relative_to(ROOT).as_posix()) for path in files]
