#!/usr/bin/env python3
"""Sanitize an OpenCLIP module where it is: the module has the clean weights afterwards.

    examples/python/sanitize_module.py ViT-B-32 weights.pt 'finetune-*.tar' clean.pt
"""

import argparse

import open_clip
import torch

import cleanclip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", help="a name or a JSON file of OpenCLIP's")
    parser.add_argument("weights", help="a state dictionary, as torch.save writes it")
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("output")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()

    if arguments.architecture.endswith(".json"):
        open_clip.add_model_config(arguments.architecture)
        arguments.architecture = arguments.architecture.rsplit("/", 1)[-1][: -len(".json")]
    module = open_clip.create_model(arguments.architecture)
    module.load_state_dict(torch.load(arguments.weights, weights_only=True))
    cleanclip.sanitize(
        module, arguments.pairs, epochs=arguments.epochs, batch_size=arguments.batch_size,
        progress=True)
    torch.save(module.state_dict(), arguments.output)
    print("wrote", arguments.output)


if __name__ == "__main__":
    main()
