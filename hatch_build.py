"""Put the address of the repository wherever it is needed.

The address is one value, `repository` in pyproject.toml, and is empty until the first release. Building the package
reads it for the project's URLs and for the README's links, which are relative in the tree and absolute on the page of
a package index. `python hatch_build.py` writes it into the badges of README.md and into CITATION.cff.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ModuleNotFoundError:  # only a build needs hatchling, the functions below do not
    MetadataHookInterface = object

ROOT = Path(__file__).parent
HOOK = "tool.hatch.metadata.hooks.custom"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(((?![a-z]+:|#)[^)\s]+)\)")
_BADGES = re.compile(r"(?<=<!-- badges -->\n).*?(?=<!-- end of badges -->\n)", re.S)


class CustomMetadataHook(MetadataHookInterface):
    """The README and the URLs in the metadata of a built package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README and the URLs to `metadata`."""
        repository, version = self.config["repository"], metadata["version"]
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute_links(text, repository, version)}
        metadata["urls"] = urls(repository)


def urls(repository: str) -> dict[str, str]:
    """Return the project's URLs by their labels, none without an address."""
    pages = {
        "Repository": "",
        "Issues": "/issues",
        "Documentation": "/tree/main/docs",
        "Changelog": "/blob/main/CHANGELOG.md",
    }
    return {label: repository + page for label, page in pages.items()} if repository else {}


def absolute_links(text: str, repository: str, version: str) -> str:
    """Return Markdown whose relative links and images point to the files of a release.

    Without an address the text stays as it is.
    """

    def absolute(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        return f"{image}[{label}]({repository}/{'raw' if image else 'blob'}/v{version}/{target})"

    return _LINK.sub(absolute, text) if repository else text


def with_badges(readme: str, repository: str) -> str:
    """Return the README with the badges of this address, with none without an address."""
    tests = f"{repository}/actions/workflows/tests.yml"
    badges = f"[![tests]({tests}/badge.svg)]({tests})\n" if repository else ""
    return _BADGES.sub(lambda _: badges, readme)


def with_address(citation: str, repository: str) -> str:
    """Return the text of CITATION.cff with this address as its `repository-code`."""
    others = "".join(line for line in citation.splitlines(keepends=True) if not line.startswith("repository-code:"))
    return others + (f'repository-code: "{repository}"\n' if repository else "")


def address() -> str:
    """Return the address of the repository in pyproject.toml, "" if it is not filled in."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for key in HOOK.split("."):
        settings = settings[key]
    return settings["repository"]


def main() -> None:
    """Write the address into the files of the tree that show it."""
    repository = address()
    for name, change in (("README.md", with_badges), ("CITATION.cff", with_address)):
        file = ROOT / name
        file.write_text(change(file.read_text("utf-8"), repository), "utf-8")


if __name__ == "__main__":
    main()
