"""Breaks long annotations into several lines, as ruff and black do."""

from __future__ import annotations

from typing import Final

WIDTH: Final = 100


def fitted(head: str, hint: str, indent: int = 4) -> str:
    """A line of ``head`` and a hint; if it is too long, one line for each argument of the hint.

    Args:
      head: the text before the hint, without indentation.
      hint: the text of the hint.
      indent: the indentation, in spaces.
    """
    space = " " * indent
    if indent + len(head) + len(hint) <= WIDTH:
        return f"{space}{head}{hint}"
    options = split(hint, "|")
    if len(options) > 1:
        if head.endswith("("):
            first, *rest = options
            lines = [fitted(head[:-1], first, indent)]
            return "\n".join([*lines, *(fitted("| ", option, indent) for option in rest)])
        whole = fitted("(", hint, indent + 4)
        if indent + 4 + len(hint) <= WIDTH:
            whole = f"{space}    {hint}"
        return f"{space}{head}(\n{whole}\n{space})"
    name, bracket, inside = hint.partition("[")
    if not bracket or not inside.endswith("]"):
        return f"{space}{head}{hint}"
    arguments = split(inside[:-1], ",")
    if len(arguments) == 1:
        inner = [fitted("", arguments[0], indent + 4)]
    else:
        inner = [f"{fitted('', argument, indent + 4)}," for argument in arguments]
    return "\n".join([f"{space}{head}{name}[", *inner, f"{space}]"])


def class_head(title: str, base: str, extra: str | dict[str, str]) -> str:
    """The line of a class with its keyword ``extra``, or several lines if it is too long.

    Args:
      title: the name of the class.
      base: the name of its base.
      extra: the text of the keyword's value, or of the items of a dict; empty for no keyword.
    """
    if not extra:
        head = f"class {title}({base}):"
        return head if len(head) <= WIDTH else f"class {title}(\n{fitted('', base)}\n):"
    items = extra if isinstance(extra, str) else None
    if items is None and isinstance(extra, dict):
        items = f"{{{', '.join(f'{key}: {hint}' for key, hint in extra.items())}}}"
    inside = f"{base}, extra={items}"
    if len(f"class {title}({inside}):") <= WIDTH:
        return f"class {title}({inside}):"
    if 4 + len(inside) <= WIDTH or isinstance(extra, str):
        return f"class {title}(\n    {inside}\n):"
    whole = f"    extra={items},"
    if len(whole) > WIDTH:
        lines = [f"{fitted(f'{key}: ', hint, 8)}," for key, hint in extra.items()]
        whole = "\n".join(["    extra={", *lines, "    },"])
    return f"class {title}(\n    {base},\n{whole}\n):"


def split(text: str, mark: str) -> list[str]:
    """Splits a text at marks that are in no bracket and no quotes."""
    parts, depth, quoted, escaped = [""], 0, "", False
    for char in text:
        if quoted:
            quoted = "" if char == quoted and not escaped else quoted
            escaped = char == "\\" and not escaped
        elif char in "'\"":
            quoted = char
        depth += (char in "([{") - (char in ")]}") if not quoted else 0
        if char == mark and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]
