#!/usr/bin/env python3
"""Serve a CLIP over HTTP: each image is classified, and checked for a trigger before that.

    examples/python/serve.py clip.onnx classes.txt --clean images/ --port 8000
    curl --data-binary @image.jpg http://localhost:8000/
"""

import argparse
import json
import pathlib
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np

import cleanclip


class Service:
    """A model, the texts of its classes, and a bank of clean images to judge others by."""

    def __init__(self, model_path, classes, clean_images):
        self.model = cleanclip.load(model_path)
        self.classes = classes
        self.texts = self.model.encode_text([f"a photo of a {name}" for name in classes])
        self.bank = cleanclip.Bank(self.model.encode_image(clean_images, normalize=False))
        self.rate = max(0.01, 1 / (len(clean_images) + 1))

    def answer(self, image):
        """Classify the bytes of a JPEG, PNG or WebP file."""
        findings = cleanclip.check_inputs(
            self.model, [image], self.bank, false_alarm_rate=self.rate)
        if findings.flagged[0]:
            return {"trigger": True, "score": float(findings.scores[0])}
        logits = self.model.logit_scale * self.model.encode_image([image]) @ self.texts.T
        return {"trigger": False, "class": self.classes[int(np.argmax(logits[0]))]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("classes", type=pathlib.Path, help="a file with a class on each line")
    parser.add_argument("--clean", type=pathlib.Path, required=True,
                        help="a folder of 50 clean images or more, like those to come")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    clean = [str(path) for path in sorted(arguments.clean.iterdir())]
    service = Service(arguments.model, arguments.classes.read_text().splitlines(), clean)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            image = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer = 200, service.answer(image)
            except cleanclip.CleanCLIPError as error:  # not an image, for instance
                status, answer = 400, {"error": error.message}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("localhost", arguments.port), Handler) as server:
        print(f"http://localhost:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
