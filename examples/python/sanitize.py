#!/usr/bin/env python3
"""The whole job in Python: load, measure, sanitize with progress, measure again, report, save.

    pip install ./bindings/python
    examples/python/sanitize.py clip.onnx 'finetune-*.tar' clean.onnx --test test.csv \
        --classes classes.txt --templates templates.txt --trigger trigger.png --target truck
"""

import argparse

import cleanclip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("pairs", nargs="+", help="csv files, tar shards or folders")
    parser.add_argument("output")
    parser.add_argument("--test", required=True, help="csv file with image and label")
    parser.add_argument("--classes", required=True)
    parser.add_argument("--templates")
    parser.add_argument("--trigger", help="a PNG file, or the name of an attack")
    parser.add_argument("--target", help="class that the trigger aims at")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    arguments = parser.parse_args()

    model = cleanclip.load(arguments.model)

    def measure(title: str) -> cleanclip.Evaluation:
        result = cleanclip.evaluate(
            model,
            arguments.test,
            arguments.classes,
            arguments.templates,
            trigger=arguments.trigger,
            target=arguments.target,
        )
        line = f"{title}: clean accuracy {result['clean_accuracy']['top1']:.1%}"
        if arguments.trigger:
            line += f", attack success {result['attack_success_rate']['top1']:.1%}"
        print(line)
        return result

    before = measure("before")
    history = cleanclip.sanitize(
        model,
        arguments.pairs,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        progress=True,
    )
    after = measure("after")
    model.save(arguments.output)
    cleanclip.write_report(
        arguments.output + ".html", model=model, before=before, after=after, history=history
    )
    print(f"wrote {arguments.output} and {arguments.output}.html")


if __name__ == "__main__":
    main()
