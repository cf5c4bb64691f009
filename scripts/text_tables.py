"""Writes the character tables of Sources/CleanCLIPKit/Data/Text from Python's own.

    python3 scripts/text_tables.py

HTML5 character references come from `html.entities`, canonical decompositions and compatibility
forms from `unicodedata`. Needs nothing but Python; run it again for a newer version of Unicode.
"""

import html.entities
import pathlib
import sys
import unicodedata

FOLDER = pathlib.Path(__file__).parent.parent / "Sources/CleanCLIPKit/Data/Text"


def scalars(text):
    return "+".join(f"{ord(character):x}" for character in text)


def write(name, comment, constant, entries):
    lines, line = [], ""
    for entry in entries:
        if len(line) + 1 + len(entry) > 95:
            lines.append(line)
            line = ""
        line += (" " if line else "") + entry
    lines.append(line)
    body = "\n".join(f"    {line}" for line in lines)
    (FOLDER / name).write_text(
        f"// Written by scripts/text_tables.py (Python {sys.version.split()[0]}, "
        f"Unicode {unicodedata.unidata_version}).\n\n"
        f"{comment}extension CharacterTables {{\n"
        f'  static let {constant} = """\n{body}\n    """\n}}\n')


def entities():
    table = html.entities.html5
    for name in sorted(name for name in table if name.endswith(";")):
        bare = "" if name[:-1] in table else ";"
        assert not name[:-1] in table or table[name[:-1]] == table[name]
        yield f"{name[:-1]}{bare}={scalars(table[name])}"


def decompositions():
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        parts = unicodedata.decomposition(character)
        if not parts or parts.startswith("<"):
            continue
        text = "".join(chr(int(part, 16)) for part in parts.split())
        excluded = "!" if unicodedata.normalize("NFC", text) != character else ""
        yield f"{excluded}{code:x}={scalars(text)}"


def presentation_forms():
    ligatures = [0x132, 0x133, 0x149, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4)]
    for code in [*ligatures, *range(0xFB00, 0xFB07)]:
        # One level, so that the long s of U+FB05 stays.
        parts = unicodedata.decomposition(chr(code)).split()[1:]
        yield f"{code:x}={'+'.join(format(int(part, 16), 'x') for part in parts)}"
    yield "3000=20"
    for code in range(0xFF01, 0xFFF0):
        normal = unicodedata.normalize("NFKC", chr(code))
        if normal != chr(code):
            yield f"{code:x}={scalars(normal)}"


write(
    "CharacterTables+Entities.swift",
    "/// Character references of HTML5: name, code points; a semicolon where HTML5 demands one.\n",
    "entities", entities())
write(
    "CharacterTables+Decompositions.swift",
    "/// Canonical decompositions of one level: code point, parts; `!` where it is never recomposed.\n",
    "decompositions", decompositions())
write(
    "CharacterTables+PresentationForms.swift",
    "/// Latin ligatures, halfwidth and fullwidth forms: code point, usual characters.\n",
    "presentationForms", presentation_forms())
