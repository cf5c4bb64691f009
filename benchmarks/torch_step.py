#!/usr/bin/env python3
"""Time one CleanCLIP training step of PyTorch/OpenCLIP on this CPU: the peer that the benchmarks compare with.

    torch_step.py --model ViT-B-32 --pairs 64 --precision bf16 [--channels-last] [--compile] [--json]

Needs torch, open_clip_torch, timm and torchvision; `make bench` installs them into .venv-bench.

One step is what CleanCLIP's finetuning does: N pairs and their N augmented views through both towers, cross-modal and
in-modal contrastive losses, backward, AdamW. Weights are random: speed does not depend on them. Token ids are captions
of --caption-tokens ids (start and end included) padded to the model's context length, as every PyTorch CLIP does.
Also times image and text embedding alone. Prints medians; run it beside the other program, in turn, on a quiet machine.
"""
import argparse, json, resource, statistics, time
import torch
import torch.nn.functional as F


def stub_torchvision_ops():
    """Let a torchvision wheel built for CUDA import beside a CPU-only torch: its detection ops are not used here."""
    lib = torch.library.Library("torchvision", "DEF")
    for op in ("nms", "qnms"):
        lib.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return lib


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="ViT-B-32")
    p.add_argument("--pairs", type=int, default=16)
    p.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    p.add_argument("--channels-last", action="store_true")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--caption-tokens", type=int, default=16)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--only", choices=["step", "image", "text"], help="leave out the rest")
    p.add_argument("--json", action="store_true")
    return p.parse_args()


def random_batch(model, a):
    """2 N images, and as many rows of token ids."""
    size = model.visual.image_size
    size = size if isinstance(size, int) else size[0]
    n = a.pairs
    images = torch.randn(2 * n, 3, size, size)
    if a.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    texts = torch.zeros(2 * n, model.context_length, dtype=torch.long)
    texts[:, 0] = 49406
    texts[:, 1:a.caption_tokens - 1] = torch.randint(1, 49000, (2 * n, a.caption_tokens - 2))
    texts[:, a.caption_tokens - 1] = 49407
    return images, texts


def training_step(model, a, images, texts, autocast):
    """A function that does one step."""
    run = torch.compile(model) if a.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.1)
    n = a.pairs
    target = torch.arange(n)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            image, text, scale = run(images, texts)
        image, text = image.float(), text.float()
        logits = scale * image[:n] @ text[:n].T
        crossmodal = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        inmodal = (F.cross_entropy(scale * image[:n] @ image[n:].T, target)
                   + F.cross_entropy(scale * text[:n] @ text[n:].T, target)) / 2
        (crossmodal + inmodal).backward()
        optimizer.step()

    return step


def median(f, times):
    """The median of the seconds that f takes, after one run that does not count."""
    f()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main():
    a = arguments()
    keep = stub_torchvision_ops()
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(a.model)
    model.train()
    if a.channels_last:
        model.visual = model.visual.to(memory_format=torch.channels_last)
    images, texts = random_batch(model, a)
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bf16")
    n = a.pairs
    result = dict(model=a.model, pairs=n, precision=a.precision, compile=a.compile, channels_last=a.channels_last,
                  threads=torch.get_num_threads(), torch=torch.__version__)
    if a.only in (None, "step"):
        train = median(training_step(model, a, images, texts, autocast), a.steps)
        result.update(step_s=train, pairs_per_s=n / train)
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    model.eval()
    encode_image, encode_text = model.encode_image, model.encode_text
    if a.compile:
        encode_image, encode_text = torch.compile(encode_image), torch.compile(encode_text)
    with torch.no_grad(), autocast():
        if a.only in (None, "image"):
            result["images_per_s"] = 2 * n / median(lambda: encode_image(images), a.steps)
        if a.only in (None, "text"):
            result["texts_per_s"] = 2 * n / median(lambda: encode_text(texts), a.steps)
    print(json.dumps(result) if a.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
