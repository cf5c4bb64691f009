"""Writes golden/ anew: make goldens. Read the difference before committing it."""

import pathlib
import sys
import tempfile

import workspace
from cases import OUTPUTS, help_cases, masked

GOLDEN = pathlib.Path(__file__).parent / "golden"


def main():
    for path in GOLDEN.glob("*.txt"):
        path.unlink()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        workspace.make(folder)
        for name, arguments in (OUTPUTS | help_cases(folder)).items():
            result = workspace.run(arguments, folder)
            if result.returncode != 0:
                sys.exit(f"{' '.join(arguments)}: exit code {result.returncode}\n{result.stderr}")
            (GOLDEN / f"{name}.txt").write_text(masked(result.stdout))


if __name__ == "__main__":
    main()
