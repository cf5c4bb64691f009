#!/usr/bin/env python3
"""Writes down the binary interface of libcleanclip, and refuses changes that break programs.

    scripts/abi.py LIBRARY            compares with Tests/CAPI/abi.txt; exits with 1 when it differs
    scripts/abi.py LIBRARY --write    writes the file anew, unless a program of before would break

The interface is what programs were compiled with: exported names with their versions and types, values
of enumerations, sizes and offsets of structs, types of callbacks. Clang parses the headers (as JSON),
a compiled program tells sizes and offsets. Within one SONAME lines are only ever added: a struct may
grow at its end, because it starts with its size, and an enumeration may gain values.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent
DUMP = ROOT / "Tests/CAPI/abi.txt"


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def declarations(include: Path) -> list[dict]:
    """What cleanclip.h declares, as nodes of Clang's syntax tree."""
    tree = json.loads(run("clang", f"-I{include}", "-fsyntax-only", "-Xclang", "-ast-dump=json",
                          "-x", "c", str(include / "cleanclip.h")))
    return [node for node in tree["inner"] if node.get("name", "").startswith("cleanclip_")]


def members(node: dict, kind: str) -> list[dict]:
    return [member for member in node.get("inner", []) if member["kind"] == kind]


def layout(nodes: list[dict], include: Path) -> Iterator[str]:
    """Lines about types, with the numbers that the compiler gives them."""
    body = []

    def line(text: str, *values: str) -> None:
        numbers = "".join(f", (long)({value})" for value in values)
        body.append(f'  printf("{text}\\n"{numbers});')

    for node in nodes:
        name = node["name"]
        if node["kind"] == "EnumDecl":
            line(f"enum {name}: %ld bytes", f"sizeof({name})")
            for constant in members(node, "EnumConstantDecl"):
                line(f"enum {name}: {constant['name']} = %ld", constant["name"])
        elif node["kind"] == "RecordDecl" and node.get("completeDefinition"):
            line(f"struct {name}: align %ld", f"_Alignof({name})")
            line(f"struct {name}: %ld bytes", f"sizeof({name})")
            for field in members(node, "FieldDecl"):
                member = field["name"]
                line(f"struct {name}: %ld+%ld {member}: {field['type']['qualType']}",
                     f"offsetof({name}, {member})", f"sizeof((({name} *)0)->{member})")
        elif node["kind"] == "TypedefDecl" and "(*)" in node["type"]["qualType"]:
            body.append(f'  puts("callback {name}: {node["type"]["qualType"]}");')
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "layout.c"), Path(folder, "layout")
        source.write_text("#include <cleanclip.h>\n#include <stddef.h>\n#include <stdio.h>\n"
                          "int main(void) {\n" + "\n".join(body) + "\n  return 0;\n}\n")
        run("gcc", f"-I{include}", str(source), "-o", str(program))
        yield from run(str(program)).splitlines()


def dump(library: Path, include: Path) -> list[str]:
    """All lines, sorted; the order of members and values is in their numbers."""
    nodes = declarations(include)
    types = {node["name"]: node["type"]["qualType"] for node in nodes
             if node["kind"] == "FunctionDecl"}
    dynamic = run("readelf", "--dynamic", "--wide", str(library))
    soname = re.search(r"SONAME.*\[(.*)\]", dynamic)
    if soname is None:
        sys.exit(f"abi: '{library}': no SONAME; expected libcleanclip.so.N")
    lines = [f"soname {soname[1]}", *layout(nodes, include)]
    for row in run("nm", "--dynamic", "--defined-only", "--with-symbol-versions",
                   str(library)).splitlines():
        kind, symbol = row.split()[-2:]
        name, _, version = symbol.partition("@@")
        if kind != "A":
            lines.append(f"function {name}@{version}: {types.get(name, 'not in the headers')}")
    return sorted(lines, key=natural)


def natural(line: str) -> list:
    """Sorts by words, and by the numbers in them."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", line)]


def breaks(old: list[str], new: list[str]) -> list[str]:
    """What programs of before do not find any more; structs may grow at their end."""
    gone = []
    sizes = {match[1]: int(match[2]) for match in map(STRUCT_SIZE.match, new) if match}
    before = {match[1]: int(match[2]) for match in map(STRUCT_SIZE.match, old) if match}
    for line in sorted(set(old) - set(new), key=natural):
        size = STRUCT_SIZE.match(line)
        if not (size and sizes.get(size[1], 0) > int(size[2])):
            gone.append(f"- {line}")
    for line in sorted(set(new) - set(old), key=natural):
        member = STRUCT_MEMBER.match(line)
        # The size that a program passes must tell whether it knows the member: padding does not.
        if member and int(member[2]) < before.get(member[1], 0):
            gone.append(f"+ {line}, inside of the {before[member[1]]} bytes of before")
    return gone


STRUCT_SIZE = re.compile(r"struct (\w+): (\d+) bytes$")
STRUCT_MEMBER = re.compile(r"struct (\w+): (\d+)\+\d+ ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--include", type=Path, default=ROOT / "include")
    parser.add_argument("--dump", type=Path, default=DUMP)
    arguments = parser.parse_args()
    new = dump(arguments.library, arguments.include)
    old = arguments.dump.read_text().splitlines() if arguments.dump.exists() else []
    soname = next(line for line in new if line.startswith("soname "))
    # Another SONAME is another library: programs of before keep theirs.
    gone = breaks(old, new) if soname in old else []
    if gone:
        print("abi: programs that were compiled before break:", *gone, sep="\n  ")
        print("abi: keep what was, add something new beside it, or raise CLEANCLIP_VERSION_MAJOR")
        sys.exit(1)
    if arguments.write:
        arguments.dump.write_text("\n".join(new) + "\n")
    elif new != old:
        print("abi: the interface grew; `make abi` writes it down:",
              *(f"+ {line}" for line in new if line not in old), sep="\n  ")
        sys.exit(1)
    else:
        print(f"ok   {len(new)} lines of the binary interface equal {arguments.dump.name}")


if __name__ == "__main__":
    main()
