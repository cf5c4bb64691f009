#!/usr/bin/env python3
"""Shows which folders of the engine use which, and fails where they use each other in a circle.

A folder uses another where it names a type that the other declares. Types are the top-level
declarations (struct, class, enum, protocol, actor, typealias) of a folder; comments and the text of
strings do not count. Folders with folders inside are compared by their parts, and as a whole.
"""

import argparse
import collections
import pathlib
import re
import sys

DECLARATION = re.compile(
    r"\b(private|fileprivate)?\s*(?:final\s+|indirect\s+)*"
    r"\b(?:struct|class|enum|protocol|actor|typealias)\s+([A-Z]\w*)"
)
IDENTIFIER = re.compile(r"(?<![\w.])[A-Z]\w*")


def without_comments_and_strings(text):
    """Returns the Swift source with comments and literal text blanked; interpolations stay."""
    out = []
    index = 0
    while index < len(text):
        if text.startswith("//", index):
            end = text.find("\n", index)
            index = len(text) if end < 0 else end
        elif text.startswith("/*", index):
            depth, index = 1, index + 2
            while index < len(text) and depth:
                if text.startswith("/*", index):
                    depth, index = depth + 1, index + 2
                elif text.startswith("*/", index):
                    depth, index = depth - 1, index + 2
                else:
                    index += 1
        elif text[index] == '"' or text.startswith('#"', index):
            index = skip_string(text, index, out)
        else:
            out.append(text[index])
            index += 1
    return "".join(out)


def skip_string(text, index, out):
    """Skips the string literal at `index`, and appends what it interpolates to `out`."""
    raw = text[index] == "#"
    index += raw
    quote = '"""' if text.startswith('"""', index) else '"'
    index += len(quote)
    closing = quote + "#" * raw
    interpolation = "\\#(" if raw else "\\("
    out.append('""')
    while index < len(text) and not text.startswith(closing, index):
        if text.startswith(interpolation, index):
            index += len(interpolation)
            start, depth = index, 1
            while index < len(text) and depth:
                if text[index] == '"':
                    index = skip_string(text, index, [])
                    continue
                depth += {"(": 1, ")": -1}.get(text[index], 0)
                index += 1
            out.append(" " + without_comments_and_strings(text[start : index - 1]) + " ")
        elif text[index] == "\\" and not raw:
            index += 2
        else:
            index += 1
    return index + len(closing)


def top_level_types(code):
    """Yields the names declared outside of braces that other files can see."""
    depth = 0
    line_start = []
    for line in code.splitlines():
        if depth == 0:
            line_start.append(line)
        depth += line.count("{") - line.count("}")
    for line in line_start:
        match = DECLARATION.search(line)
        if match and match.group(1) is None:
            yield match.group(2)


def read_folders(root):
    """Returns `{folder: {file: source without comments and strings}}` of the sources below `root`."""
    folders = collections.defaultdict(dict)
    for path in sorted(root.rglob("*.swift")):
        folder = path.parent.relative_to(root).as_posix()
        folders[folder][path.name] = without_comments_and_strings(path.read_text("utf-8"))
    return folders


def references(folders, name_of):
    """Returns `{(user, used): {type: [files]}}` between the folders, named by `name_of(folder)`."""
    home = collections.defaultdict(set)
    for folder, files in folders.items():
        for code in files.values():
            for name in top_level_types(code):
                home[name].add(name_of(folder))
    arrows = collections.defaultdict(lambda: collections.defaultdict(list))
    for folder, files in folders.items():
        user = name_of(folder)
        for file, code in files.items():
            for name in sorted(set(IDENTIFIER.findall(code))):
                if len(home.get(name, ())) == 1:
                    (used,) = home[name]
                    if used != user:
                        arrows[user, used][name].append(file)
    return arrows


def circles(arrows):
    """Returns the sets of folders that reach each other, by Tarjan's algorithm."""
    nexts = collections.defaultdict(set)
    for user, used in arrows:
        nexts[user].add(used)
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(nexts[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted({folder for arrow in arrows for folder in arrow}):
        if node not in order:
            visit(node)
    return found


def report(arrows, component):
    """Prints the arrows within a circle, with the types and files that make them."""
    print(f"arrows: {', '.join(component)} use each other; expected one direction", file=sys.stderr)
    for (user, used), types in sorted(arrows.items()):
        if user in component and used in component:
            names = "; ".join(f"{name} ({', '.join(files)})" for name, files in types.items())
            print(f"  {user} -> {used}: {names}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="Sources/CleanCLIPKit", type=pathlib.Path)
    parser.add_argument("--list", action="store_true", help="print every arrow and its types")
    arguments = parser.parse_args()
    folders = read_folders(arguments.root)
    if not folders:
        sys.exit(f"arrows: {arguments.root}: no Swift sources; expected a folder with some")
    failed = False
    for name_of in (lambda folder: folder.split("/")[0], lambda folder: folder):
        arrows = references(folders, name_of)
        for component in circles(arrows):
            report(arrows, component)
            failed = True
    if arguments.list:
        for (user, used), types in sorted(arrows.items()):
            print(f"{user} -> {used}: {', '.join(types)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
