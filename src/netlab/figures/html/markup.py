"""HTML as text: whatever is not markup already is escaped where it is put in."""

from html import escape

from netlab.contracts.report import Html

_VOID = frozenset({"br", "col", "hr", "img", "input", "meta"})


def element(tag: str, /, *children: str | None, **attributes: object) -> Html:
    """An element with its children and attributes.

    >>> element("p", "1 < 2", element("b", "!"), class_="odd", aria_label='"', hidden=True)
    '<p class="odd" aria-label="&quot;" hidden>1 &lt; 2<b>!</b></p>'

    Args:
        tag: its name.
        children: markup, and text that is escaped; None is nothing.
        attributes: `class_` is `class` and `aria_label` is `aria-label`; None and False leave an
            attribute out, True gives it without a value.
    """
    attached = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{attached}>")
    return Html(f"<{tag}{attached}>{join(*children)}</{tag}>")


def join(*children: str | None) -> Html:
    """Markup and text one after the other."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def _escaped(text: str) -> str:
    if isinstance(text, Html):
        return text
    # Names of files may hold bytes that are no UTF-8; a page has to be.
    return escape(text.encode("utf-8", "backslashreplace").decode())


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'
