"""A terminal's screen, as far as netlab's live view needs one: what is left to be seen."""

import re

_SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Screen:
    """Takes in what a process writes to a terminal.

    Knows carriage return, line feed with scrolling, wrapping at the right edge, cursor movements,
    erasing, and whether the cursor is shown; anything else is an error.
    """

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.columns, self.lines = columns, lines
        self.rows = [[" "] * columns for _ in range(lines)]
        self.scrolled: list[str] = []
        self.x = self.y = 0
        self.cursor = True

    @property
    def text(self) -> list[str]:
        """The lines that can be seen."""
        return ["".join(row).rstrip() for row in self.rows]

    def feed(self, data: str) -> "Screen":
        """Obey what was written."""
        position = 0
        while position < len(data):
            found = _SEQUENCE.match(data, position)
            if found:
                self._obey(found[1], found[2])
                position = found.end()
                continue
            self._write(data[position])
            position += 1
        return self

    def _write(self, char: str) -> None:
        if char == "\r":
            self.x = 0
        elif char == "\n":
            self._down()
        else:
            assert char.isprintable(), repr(char)
            if self.x == self.columns:
                self.x = 0
                self._down()
            self.rows[self.y][self.x] = char
            self.x += 1

    def _down(self) -> None:
        self.y += 1
        if self.y == self.lines:
            self.scrolled.append("".join(self.rows.pop(0)).rstrip())
            self.rows.append([" "] * self.columns)
            self.y -= 1

    def _obey(self, numbers: str, letter: str) -> None:
        if numbers == "?25":
            self.cursor = letter == "h"
            return
        first = int(numbers.split(";")[0] or 0) if letter != "m" else 0
        if letter == "A":
            self.y = max(self.y - max(first, 1), 0)
        elif letter == "K":
            assert first == 2, "a whole line"
            self.rows[self.y] = [" "] * self.columns
        elif letter == "J":
            assert first == 2, "the whole screen"
            self.rows = [[" "] * self.columns for _ in range(self.lines)]
        elif letter == "H":
            self.x = self.y = 0
        else:
            assert letter == "m", letter
