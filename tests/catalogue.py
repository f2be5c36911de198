"""The translations of all phrases: ``python -m tests.catalogue`` brings them up to date with the texts in the code.

It writes the template, adds what is new to each ``.po`` (untranslated, for a person to fill in) and compiles it. The
compiled catalogues are checked in, so that an installation needs no tool for them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import sync.digest
from sync.report.language import DOMAIN, LANGUAGES, LOCALE

PACKAGES = (Path(sync.digest.__file__).parent, LOCALE.parent)
"""The folders with translated texts: the digest, and the phrases of comments and pages."""
TEMPLATE = LOCALE / f"{DOMAIN}.pot"


def template() -> Catalog:
    """Collect every text in the code. A percent sign and a blank are no placeholder, although babel reads one."""
    found = Catalog(project=DOMAIN, fuzzy=False)
    rows = [
        row
        for package in PACKAGES
        for row in extract_from_dir(package, [("**.py", "python")], keywords={"say": None, "many": (1, 2)})
    ]
    for _, _, text, _, _ in sorted(rows, key=lambda row: str(row[2])):
        found.add(text).flags.clear()
    return found


def place(name: str) -> Path:
    """Path of the catalogue of a language."""
    return LOCALE / name / "LC_MESSAGES" / f"{DOMAIN}.po"


def translated(name: str) -> Catalog:
    """The catalogue of a language as it is checked in."""
    with place(name).open("rb") as file:
        return read_po(file, locale=name, domain=DOMAIN)


def written(catalogue: Catalog) -> bytes:
    """A catalogue as its file: sorted, without dates and places, so that equal texts give equal bytes."""
    out = BytesIO()
    write_po(out, catalogue, omit_header=True, sort_output=True, no_location=True, width=110)
    head = '# {}\nmsgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n{}\n'
    plural = f'"Plural-Forms: {catalogue.plural_forms}\\n"\n' if catalogue.locale else ""
    return head.format("Phrases of all texts; made by python -m tests.catalogue", plural).encode() + out.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as gettext reads it, without the time at which it was made."""
    catalogue.creation_date = catalogue.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def updated(name: str) -> Catalog:
    """The catalogue of a language with every text of the code and no other."""
    known = translated(name) if place(name).is_file() else Catalog(locale=name, domain=DOMAIN)
    known.update(template(), no_fuzzy_matching=True)
    known.obsolete.clear()
    for message in known:
        message.flags.discard("python-format")
        message.flags.discard("python-brace-format")
    return known


def main() -> None:
    """Write all of them."""
    TEMPLATE.write_bytes(written(template()))
    for name in LANGUAGES[1:]:
        catalogue = updated(name)
        place(name).parent.mkdir(parents=True, exist_ok=True)
        place(name).write_bytes(written(catalogue))
        place(name).with_suffix(".mo").write_bytes(compiled(translated(name)))


if __name__ == "__main__":
    main()
