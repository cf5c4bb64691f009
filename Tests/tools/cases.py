"""Command lines whose whole standard output is kept in golden/."""

import json
import re

from workspace import TRAINING, run

CHECK = ["--tokenizer", "bpe.txt", "--threads", "1", "--quiet"]

# In order: later ones read what earlier ones wrote.
OUTPUTS = {
    "inspect": ["cleanclip", "inspect", "model.onnx"],
    "inspect-json": ["cleanclip", "inspect", "model.safetensors", "--json"],
    "embed-images": ["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "images.npy"],
    "embed-texts": [
        "cleanclip", "embed", "model.onnx", "--texts", "texts.txt", "-o", "texts.npy",
        "--tokenizer", "bpe.txt", "--json"],
    "evaluate": [
        "cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt",
        "--trigger", "trigger.png", "--target", "red", *CHECK],
    "evaluate-json": [
        "cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt",
        "--json", *CHECK],
    "evaluate-retrieval": [
        "cleanclip", "evaluate-retrieval", "model.onnx", "--data", "pairs.csv", *CHECK],
    "evaluate-retrieval-json": [
        "cleanclip", "evaluate-retrieval", "model.onnx", "--data", "pairs.csv", "--json", *CHECK],
    "sanitize": [
        "cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "2", "-o", "clean.onnx",
        "--history", "history.json", "--quiet"],
    "sanitize-json": [
        "cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o",
        "clean.safetensors", "--json", "--quiet"],
    "train": [
        "cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "1",
        "-o", "trained.onnx", "--quiet"],
    "train-roclip": [
        "cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--method", "roclip",
        "--match-every", "1", "--epochs", "1", "-o", "roclip.onnx", "--quiet"],
    "train-safeclip": [
        "cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--method", "safeclip",
        "--inmodal-epochs", "1", "--epochs", "3", "-o", "safeclip.onnx", "--quiet"],
    "sanitize-simclip": [
        "cleanclip", "sanitize", "model.onnx", "--images", "images", "--method", "simclip",
        "--batch-size", "8", "--epochs", "1", "--attack-steps", "2", "-o", "robust.onnx", "--quiet"],
    "check-model": [
        "cleanclip", "check", "model", "model.onnx", "--images", "images", "--image-limit", "16",
        "--steps", "3", "--kinds", "patch", "additive", "--report", "model.html", *CHECK],
    "check-data": [
        "cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--scores", "scores.csv",
        "--cleaned", "cleaned.txt", "--report", "data.html", *CHECK],
    "check-input-bank": [
        "cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank",
        "bank.safetensors", "--make-bank", *CHECK],
    "check-input": [
        "cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank",
        "bank.safetensors", "--false-alarm-rate", "0.1", *CHECK],
    "poison": [
        "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
        "--count", "4", "--image-size", "32", "-o", "poisoned.tar", "--truth-path", "truth.csv"],
    "poison-json": [
        "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
        "--count", "4", "--image-size", "32", "-o", "table.csv", "--json"],
    "optimize-trigger": [
        "cleanclip", "optimize-trigger", "model.onnx", "--data", "pairs.csv", "--target", "red",
        "--steps", "3", "--batch-size", "8", "-o", "patch.png", *CHECK],
    "optimize-trigger-json": [
        "cleanclip", "optimize-trigger", "model.onnx", "--data", "pairs.csv", "--target", "red",
        "--steps", "3", "--batch-size", "8", "-o", "patch.png", "--json", *CHECK],
    "report": ["cleanclip", "report", "--history", "history.json", "-o", "run.html"],
    "onnx-import": ["onnx-import", "model.onnx", "-o", "imported.safetensors"],
    "onnx-import-graph": [
        "onnx-import", "model.onnx", "-o", "named.onnx", "--names", "huggingface"],
    "version": ["cleanclip", "--version"],
    "onnx-import-version": ["onnx-import", "--version"],
}


def masked(text):
    """The text without what differs between processors, runs and versions: fractions, hashes, the
    order of ranks. Counts, words and layout stay."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
    text = re.sub(r"(?m)^\d+\. \S+  -?[\d.]+  .*$", "<rank>. <key>  <number>  <caption>", text)
    text = re.sub(r"\b\d+\.\d+\.\d+\b", "<version>", text)
    text = re.sub(r'("recall_at_\d+"): \d+\b(?!\.)', r"\1: <number>", text)
    text = re.sub(r"(recall at \d+) +", r"\1 ", text)
    text = re.sub(r"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+", "<number>", text)
    return text


def help_cases(folder):
    """The command line of every help text, by name: read from the tools' own lists of commands."""
    cases = {}

    def visit(tool, path, command):
        cases["-".join(["help", tool, *path])] = [tool, *path, "--help"]
        for inner in command.get("subcommands", []):
            if inner["commandName"] != "help":
                visit(tool, [*path, inner["commandName"]], inner)

    for tool in ("cleanclip", "onnx-import"):
        dump = run([tool, "--experimental-dump-help"], folder).stdout
        visit(tool, [], json.loads(dump)["command"])
    return cases
