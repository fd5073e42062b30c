"""PyTorch's side of `tests/run.sh bench-train`: the reference nets in eager mode on the processor.

Prints its version and one line `NET PARAMETERS` for each net, then answers every line `NET SECONDS` on standard input by training
for so long and printing `STEPS SECONDS PROCESSOR_SECONDS`. A step is forward, triplet loss, backward, Adam, on one batch of random images.
`train_speed.py BATCH THREADS`.
"""

import sys
import time

import torch
from torch import nn

SIDE = 28
EMBEDDING = 64
MARGIN = 0.2


def conv(inputs: int, outputs: int, kernel: int, stride: int, activation: nn.Module, groups: int = 1) -> list[nn.Module]:
    """Convolution, BatchNorm, activation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), activation]


def article() -> nn.Module:
    """`Architecture::article`."""
    layers = []
    for inputs, outputs, stride in [(1, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2)]:
        layers += conv(inputs, outputs, 3, stride, nn.LeakyReLU(0.1, inplace=True))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * (SIDE // 4) ** 2, EMBEDDING))


def compact() -> nn.Module:
    """`Architecture::compact` of width 1."""
    layers = conv(1, 16, 3, 2, nn.ReLU(inplace=True))
    inputs = 16
    for outputs, stride in [(32, 1), (64, 2), (64, 1), (96, 2)]:
        layers += conv(inputs, inputs, 3, stride, nn.ReLU(inplace=True), groups=inputs)
        layers += conv(inputs, outputs, 1, 1, nn.ReLU(inplace=True))
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, EMBEDDING))


class Trainer:
    """A net with its optimizer and its batch; image `i` is compared with `i ^ 1` (its own kind) and `i + 2` (another)."""

    def __init__(self, net: nn.Module, batch: int):
        self.net = net
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        self.images = torch.rand(batch, 1, SIDE, SIDE)
        self.anchors = torch.arange(batch)
        self.positives = self.anchors ^ 1
        self.negatives = (self.anchors + 2) % batch

    def step(self) -> float:
        embeddings = self.net(self.images)
        squares = embeddings.square().sum(1, keepdim=True)
        squared = torch.relu(squares + squares.T - 2 * embeddings @ embeddings.T)
        difference = squared[self.anchors, self.positives] - squared[self.anchors, self.negatives]
        loss = torch.relu(difference + MARGIN).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: train_speed.py BATCH THREADS", file=sys.stderr)
        return 2
    batch, threads = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    trainers = {"article": Trainer(article(), batch), "compact": Trainer(compact(), batch)}
    print("version", torch.__version__, flush=True)
    for name, trainer in trainers.items():
        print(name, sum(weights.numel() for weights in trainer.net.parameters()), flush=True)
    for line in sys.stdin:
        name, seconds = line.split()
        start, busy = time.perf_counter(), time.process_time()
        steps = 0
        while time.perf_counter() - start < float(seconds):
            trainers[name].step()
            steps += 1
        print(steps, time.perf_counter() - start, time.process_time() - busy, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
