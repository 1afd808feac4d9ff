"""Write the pages of the API reference: one per public package, and one of the command line.

Docstrings are Markdown, with sections such as `Args:` whose items are indented. `docs/conf.py` calls `write_pages`
before each build; the pages are not kept in the repository, as everything in them comes from the package.
"""

import importlib
import inspect
import re
import textwrap
from pathlib import Path

from make_api import public_names, public_packages

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Example|Examples):\n", re.M)
_ITEM = re.compile(r"^(\*{0,2}\w[\w, *.]*): ", re.M)
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`|^>>> .*$)", re.M | re.S)


def write_pages(folder: Path) -> None:
    """Write all pages into a folder, those that have changed only."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in public_packages():
        write_if_new(folder / f"{package}.md", package_page(package))
    write_if_new(folder / "command_line.md", command_page())


def write_if_new(file: Path, text: str) -> None:
    """Write a text unless the file has it already, so that an unchanged page is not built again."""
    if not file.exists() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")


def package_page(package: str) -> str:
    """Return the page of a public package, in Markdown."""
    module = importlib.import_module(package)
    entries = [_entry(package, name, getattr(module, name)) for name in public_names(module)]
    return f"# {package}\n\n{markdown(inspect.getdoc(module) or '')}\n\n" + "\n".join(entries)


def command_page() -> str:
    """Return the page with the help of every command."""
    from jaxmaxent.commands._parser import make_parser

    commands = next(action.choices for action in make_parser()._actions if isinstance(action.choices, dict))
    parts = ["# Command line\n\nWhat `jaxmaxent COMMAND --help` prints.\n"]
    parts += [f"## jaxmaxent {name}\n\n```text\n{parser.format_help()}```\n" for name, parser in commands.items()]
    return "\n".join(parts)


def markdown(docstring: str) -> str:
    """Return a docstring with its sections as lists."""
    head, *rest = _SECTION.split(docstring)
    parts = [_escaped(head.strip())]
    for title, text in zip(rest[::2], rest[1::2], strict=True):
        body, after = _indented(text)
        items = _ITEM.split(body)
        if title in ("Args", "Attributes", "Raises") and not items[0].strip():
            pairs = zip(items[1::2], items[2::2], strict=True)
            lines = [f"- `{name}`: {_escaped(textwrap.indent(value.strip(), '  ').strip())}" for name, value in pairs]
            body = "\n".join(lines)
        else:
            body = _escaped(body)
        parts += [f"**{title}**", body, _escaped(after)]
    return "\n\n".join(part for part in parts if part)


def _indented(text: str) -> tuple[str, str]:
    # The indented lines at the beginning of a section, and what follows them.
    lines = text.split("\n")
    end = next((k for k, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return textwrap.dedent("\n".join(lines[:end])).strip("\n"), "\n".join(lines[end:]).strip()


def _escaped(text: str) -> str:
    # Outside code, characters that Markdown would take for markup stand for themselves.
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"([<>*]|(?<=\])\((?=\w))", r"\\\1", part) for part in parts[::2]]
    return _doctests("".join(parts))


def _doctests(text: str) -> str:
    # A doctest becomes a block of code.
    return re.sub(r"(^>>> .*?)(?=\n\n|\Z)", r"```pycon\n\1\n```", text, flags=re.M | re.S)


def _entry(package: str, name: str, value: object) -> str:
    if inspect.isclass(value):
        kind, signature = "class", _signature(value)
    elif inspect.isroutine(value):
        kind, signature = "function", _signature(value)
    else:
        return f"::::{{py:data}} {package}.{name}\n\n`{type(value).__name__}`\n::::\n"
    parts = [markdown(inspect.getdoc(value) or "")]
    if inspect.isclass(value):
        parts += [_method(inner, member) for inner, member in _methods(value)]
    body = "\n\n".join(parts)
    return f"::::{{py:{kind}}} {package}.{name}{signature}\n\n{body}\n::::\n"


def _methods(value: type) -> list[tuple[str, object]]:
    # Methods and properties that the class itself defines, not those that its base or a decorator made.
    found = []
    for name, member in vars(value).items():
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if not name.startswith("_") and inspect.isfunction(function) and function.__module__ == value.__module__:
            found.append((name, member))
    return found


def _method(name: str, member: object) -> str:
    function = getattr(member, "__func__", getattr(member, "fget", member))
    described = markdown(inspect.getdoc(function) or "")
    if isinstance(member, property):
        return f":::{{py:property}} {name}\n\n{described}\n:::"
    flags = ":classmethod:\n" * isinstance(member, classmethod) + ":staticmethod:\n" * isinstance(member, staticmethod)
    signature = _signature(function, bound=not isinstance(member, staticmethod))
    return f":::{{py:method}} {name}{signature}\n{flags}\n{described}\n:::"


def _signature(value: object, bound: bool = False) -> str:
    # Defaults and types in short: what a reader has to know, without the packages that they come from.
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "()"
    parameters = list(signature.parameters.values())[int(bound) :]
    parts, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parts.append("*")
        if parameter.kind is parameter.VAR_POSITIONAL:
            keyword_only = True
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={_short(parameter.default)}"
        parts.append(f"{prefix}{parameter.name}{default}")
    return f"({', '.join(parts)})"


def _short(default: object) -> str:
    text = repr(default)
    simple = isinstance(default, str | int | float | bool | tuple | type(None))
    return text if simple and len(text) <= 40 and "<" not in text else "…"
