"""Kills tools in the middle of their work, many times, and compares what is left with a run that nothing
stopped: no output is ever half there, nothing remains under other names, and what is resumed ends with
the same bytes.

    python3 Tests/tools/kill_runs.py --kills 200 --seed 1
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from workspace import TOOLS, TRAINING, environment, make, run

STATE = ["--state-directory", "state", "--quiet"]
CHECK = ["--tokenizer", "bpe.txt", "--threads", "1"]
#: What is killed, and whether it can be resumed.
WORK = {
    "sanitize": ([
        "cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "12", "--save-every", "1", *STATE,
        "--history", "history.json", "-o", "clean.onnx"], True),
    "sanitize --method unlearn": ([
        "cleanclip", "sanitize", "model.onnx", "--method", "unlearn", "--images", "images", *CHECK,
        "--triggers", "blended", "--batch-size", "16", "--save-every", "5", "--persistence-steps", "5",
        *STATE, "--history", "history.json", "-o", "clean.onnx"], True),
    "train": ([
        "cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "12", "--save-every",
        "1", *STATE, "--history", "history.json", "-o", "trained.safetensors"], True),
    "check model": ([
        "cleanclip", "check", "model", "model.onnx", "--images", "images", "--classes", "classes.txt",
        *CHECK, "--steps", "30", "--exhaustive", *STATE, "--triggers", "found", "--report",
        "model.html"], True),
    "check data": ([
        "cleanclip", "check", "data", "model.onnx", "--data", "many.csv", *CHECK, *STATE, "--scores",
        "scores.csv", "--cleaned", "cleaned.txt", "--report", "data.html"], True),
    "check input": ([
        "cleanclip", "check", "input", "model.onnx", "--images", "many.csv", *CHECK, "--make-bank",
        "--bank", "bank.safetensors", "--quiet"], False),
    "poison to a shard": ([
        "cleanclip", "poison", "--data", "many.csv", "--trigger", "trigger.png", "--target", "red",
        "--count", "40", "--image-size", "64", "--quiet", "-o", "poisoned.tar", "--truth-path",
        "truth.csv"], False),
    "poison to a table": ([
        "cleanclip", "poison", "--data", "many.csv", "--trigger", "trigger.png", "--target", "red",
        "--count", "40", "--image-size", "64", "--quiet", "-o", "poisoned.csv", "--truth-path",
        "truth.csv"], False),
    "embed": ([
        "cleanclip", "embed", "model.onnx", "--images", "many.csv", "--threads", "1", "--quiet", "-o",
        "features.npy"], False),
}
#: Exit codes of work that was done: 3 and 4 are verdicts.
DONE = (0, 3, 4)
#: Members of JSON outputs that tell of time, and what was said by one process.
OWN = {"seconds", "samples_per_second", "waiting_fraction", "messages"}


def timeless(value):
    """JSON without what is of one process alone."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in OWN}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def printed(text):
    """What was printed, without times."""
    return re.sub(r"[\d.]+ s\b", "", text)


def contents(folder):
    """What the files of a folder hold, but for its state, by their names. Pages have times and are there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith("state/"):
            continue
        found[name] = "a page" if path.suffix == ".html" else path.read_bytes()
        if path.suffix == ".json":
            found[name] = json.dumps(timeless(json.loads(found[name])))
    return found


class Subject:
    """A command line in a folder of its own, and what it gives when nothing stops it."""

    def __init__(self, name, made, folder):
        self.name = name
        self.command, self.resumes = WORK[name]
        self.made = made
        self.folder = folder
        self.reset()
        start = time.monotonic()
        result = run(self.command, self.folder)
        assert result.returncode in DONE, f"{name}: {result.stderr}"
        self.seconds = time.monotonic() - start
        self.whole = contents(self.folder)
        self.states = self.state_files()
        self.printed = printed(result.stdout)
        self.reset()

    def reset(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.made, self.folder)
        self.is_begun = False

    def state_files(self):
        return {path.name for path in self.folder.glob("state/*")}

    def started(self):
        tool, *rest = self.command
        more = ["--resume"] if self.resumes and self.is_begun else []
        self.is_begun = True
        return subprocess.Popen(
            [str(TOOLS / tool), *rest, *more], cwd=self.folder, env=environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)

    def killed(self, after):
        """Kills a run; False when it had come to its end before."""
        process = self.started()
        try:
            process.wait(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        if process.returncode == -signal.SIGKILL:
            # What has its name is whole.
            for name, content in contents(self.folder).items():
                if name in self.whole and not name.endswith("history.json"):
                    assert content == self.whole[name], f"{self.name}: '{name}' is half of an output"
            return True
        assert process.returncode in DONE, f"{self.name}: {errors}"
        return False

    def is_done(self):
        """Whether all outputs of work that cannot be repeated are there."""
        return not self.resumes and contents(self.folder).keys() >= self.whole.keys()

    def finished(self):
        """Runs to the end and compares with the run that nothing stopped."""
        if not self.is_done():
            process = self.started()
            output, errors = process.communicate(timeout=600)
            assert process.returncode in DONE, f"{self.name}: {errors}"
            assert printed(output) == self.printed, f"{self.name}: {output}"
        left = contents(self.folder)
        strays = set(left) - set(self.whole)
        assert not strays, f"{self.name}: left behind: {sorted(strays)}"
        different = [name for name in self.whole if left.get(name) != self.whole[name]]
        assert not different, f"{self.name}: differs from a run that nothing stopped: {different}"
        assert self.state_files() <= self.states, f"{self.name}: {self.state_files() - self.states}"
        self.reset()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="kills in all (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--work", action="append", choices=WORK, help="only this; may be repeated")
    given = parser.parse_args()
    drawn = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as root:
        made = pathlib.Path(root, "made")
        made.mkdir()
        make(made)
        rows = (made / "pairs.csv").read_text().splitlines()
        (made / "many.csv").write_text("\n".join(rows[:1] + rows[1:] * 20) + "\n")
        subjects = [
            Subject(name, made, pathlib.Path(root, f"work-{number}"))
            for number, name in enumerate(given.work or WORK)]
        done = {subject.name: [0, 0, 0] for subject in subjects}
        while sum(kills for kills, _, _ in done.values()) < given.kills:
            subject = min(subjects, key=lambda subject: done[subject.name][0])
            counts = done[subject.name]
            # Several in a row, the later ones into work that was resumed.
            for _ in range(drawn.randint(2, 5)):
                if subject.killed(drawn.uniform(0.02, 0.9) * subject.seconds):
                    counts[0] += 1
                else:
                    counts[2] += 1
                    break
                if subject.is_done():
                    break
            subject.finished()
            counts[1] += 1
    for name, (kills, ends, early) in done.items():
        print(f"{name}: {kills} kills, {ends} ends as without, {early} ended before the kill")
    return 0


if __name__ == "__main__":
    sys.exit(main())
