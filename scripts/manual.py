#!/usr/bin/env python3
"""Writes manual pages from what a tool says of itself.

    TOOL --experimental-dump-help | scripts/manual.py VERSION FOLDER

One page for the tool, and one for each of its commands: cleanclip.1, cleanclip-check-model.1.
The source is swift-argument-parser's description of commands, version 0 of that format.
"""

import json
import pathlib
import re
import sys


def escaped(text):
    """`text` for roff: no escapes, and no line that begins a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def paragraphs(text):
    return "\n.PP\n".join(escaped(part.strip()) for part in re.split(r"\n\s*\n", text))


def spelling(name):
    return ("-" if name["kind"] == "short" else "--") + name["name"]


def usage(argument):
    """An argument as a synopsis shows it."""
    value = "\\fI" + escaped(argument.get("valueName", "")) + "\\fR"
    if argument["kind"] == "positional":
        text = value
    else:
        text = "\\fB" + escaped(spelling(argument["preferredName"])) + "\\fR"
        if argument["kind"] == "option":
            text += " " + value
    if argument["isRepeating"]:
        text += " ..."
    return "[" + text + "]" if argument["isOptional"] else text


def entry(argument):
    """An argument with what it means, as an item of a list."""
    if argument["kind"] == "positional":
        term = "\\fI" + escaped(argument["valueName"]) + "\\fR"
    else:
        term = ", ".join("\\fB" + escaped(spelling(name)) + "\\fR" for name in argument["names"])
        if argument["kind"] == "option":
            term += " \\fI" + escaped(argument["valueName"]) + "\\fR"
    text = argument.get("abstract", "")
    if argument.get("discussion"):
        text += "\n\n" + argument["discussion"]
    if argument.get("allValues"):
        text += " One of: " + ", ".join(argument["allValues"]) + "."
    if argument.get("defaultValue"):
        text += " Default: " + argument["defaultValue"] + "."
    return ".TP\n" + term + "\n" + paragraphs(text).replace("\n.PP\n", "\n.IP\n")


def page(command, version):
    """The page of one command."""
    names = command.get("superCommands", []) + [command["commandName"]]
    shown = [a for a in command.get("arguments", []) if a["shouldDisplay"]]
    inner = [c for c in command.get("subcommands", []) if c["shouldDisplay"] and c["commandName"] != "help"]
    title = "-".join(names)
    text = [
        f'.TH "{escaped(title.upper())}" 1 "" "cleanclip {version}" "User Commands"',
        ".SH NAME", f"{escaped(title)} \\- {escaped(command.get('abstract', '').rstrip('.'))}",
        ".SH SYNOPSIS", ".B " + escaped(" ".join(names)),
    ]
    text += [usage(a) for a in shown] + (["\\fIcommand\\fR ..."] if inner else [])
    if command.get("discussion"):
        text += [".SH DESCRIPTION", paragraphs(command["discussion"])]
    for heading, kinds in (("ARGUMENTS", ("positional",)), ("OPTIONS", ("option", "flag"))):
        entries = [entry(a) for a in shown if a["kind"] in kinds]
        if entries:
            text += [".SH " + heading] + entries
    if inner:
        text.append(".SH COMMANDS")
        for c in inner:
            text += [".TP", "\\fB" + escaped(c["commandName"]) + "\\fR", escaped(c.get("abstract", ""))]
    others = ["-".join(names + [c["commandName"]]) for c in inner] or (
        ["-".join(names[:-1])] if names[:-1] else [])
    if others:
        text += [".SH SEE ALSO", ",\n".join(f"\\fB{escaped(name)}\\fR(1)" for name in others)]
    return title, "\n".join(text) + "\n"


def write(command, version, folder):
    title, text = page(command, version)
    (folder / f"{title}.1").write_text(text, encoding="utf-8")
    for inner in command.get("subcommands", []):
        if inner["shouldDisplay"] and inner["commandName"] != "help":
            write(inner, version, folder)


def main():
    version, folder = sys.argv[1:]
    description = json.load(sys.stdin)
    if description["serializationVersion"] != 0:
        sys.exit(f"manual: format {description['serializationVersion']} of the description; expected 0")
    write(description["command"], version, pathlib.Path(folder))


if __name__ == "__main__":
    main()
