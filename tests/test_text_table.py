"""Tables as lines of text: aligned, whole in a pipe, fitting on a terminal."""

import pytest

from netlab.figures.text_table import text_table

ROWS = [["mIoU", "0.7100*", "0.37"], ["  a class [red]", "12.5 ", ""]]


def test_columns_are_aligned_and_the_first_names_the_row() -> None:
    assert text_table(ROWS, ["", "network", "mean mask"]) == [
        "                 network  mean mask",
        "mIoU             0.7100*       0.37",
        "  a class [red]    12.5",
    ]


def test_a_row_in_a_pipe_is_one_line() -> None:
    (line,) = text_table([["name", "words " * 500 + "end"]], numbers=False)
    assert line.endswith("words end")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(width: int) -> None:
    text = "some words of a text and_averyveryverylongnamewithoutanyspaces"
    lines = text_table([["日本", text]], ["kind", "about"], width=width, numbers=False)
    assert all(len(line) <= width for line in lines)
    assert "".join(line[4:].strip() for line in lines[1:]).replace(" ", "") == text.replace(" ", "")


def test_without_rows_there_are_headings_alone() -> None:
    assert text_table([], ["a", "b"]) == ["a  b"]
    assert text_table([]) == []
