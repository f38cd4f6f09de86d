"""Networks of PyTorch's, small ones of the kinds that people load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def normalized(*size: int, **settings: Any) -> nn.Sequential:
    """A convolution without a bias, and batch normalization."""
    return nn.Sequential(nn.Conv2d(size[0], size[1], size[2], bias=False, **settings), nn.BatchNorm2d(size[1]))


class Bottleneck(nn.Module):
    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.a, self.b = normalized(channels, inside, 1), normalized(inside, inside, 3, padding=1)
        self.c = normalized(inside, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.c(F.relu(self.b(F.relu(self.a(x))))))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f, self.g = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * F.hardsigmoid(self.g(F.relu(self.f(F.adaptive_avg_pool2d(x, 1)))))


class MobileV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(normalized(3, 8, 3, stride=2, padding=1), nn.ReLU6())
        self.block = nn.Sequential(
            normalized(8, 16, 1),
            nn.ReLU6(),
            normalized(16, 16, 3, padding=1, groups=16),
            nn.ReLU6(),
            normalized(16, 8, 1),
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(F.adaptive_avg_pool2d(x + self.block(x), 1).flatten(1))


class MobileV3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = normalized(3, 8, 3, stride=2, padding=1), SqueezeExcite(8)
        self.deep, self.head = nn.Linear(8, 12), nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(F.hardswish(self.stem(x)))
        return self.head(F.hardswish(self.deep(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.c, self.d = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = F.relu(self.a(x))
        below = F.relu(self.b(F.max_pool2d(left, 2)))
        return self.d(F.relu(self.c(torch.cat([left, self.up(below)], 1))))


class Bilinear(UNet):
    def __init__(self) -> None:
        super().__init__()
        del self.up

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = F.relu(self.a(x))
        below = F.relu(self.b(F.max_pool2d(left, 2)))
        below = F.interpolate(below, size=left.shape[2:], mode="bilinear", align_corners=False)
        return self.d(F.relu(self.c(torch.cat([left, below], 1)[:, :8])))


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, 4, 3, padding=1)) for c in (3, 7, 11)
        )
        self.head = nn.Linear(15, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = torch.cat([x, block(x)], 1)
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
        self.qkv, self.out, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        n, count, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, count, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 0.5).softmax(-1)
        return self.head((x + self.out((weights @ v).transpose(1, 2).reshape(n, count, c))).mean(1))


def vgg() -> nn.Module:
    def block(c: int, f: int) -> list[nn.Module]:
        return [nn.Conv2d(c, f, 3, padding=1), nn.BatchNorm2d(f), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(3, 8), *block(8, 12), nn.Flatten(), nn.Linear(12 * 16, 16), nn.ReLU(), nn.Linear(16, 5))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "LeNet": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 3 * 3, 10),
    ),
    "VGG": vgg,
    "ResNet": lambda: nn.Sequential(
        normalized(3, 8, 3, padding=1), nn.ReLU(), Bottleneck(8, 4), Bottleneck(8, 4), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 5),
    ),
    "MobileNetV2": MobileV2,
    "MobileNetV3": MobileV3,
    "U-Net": UNet,
    "U-Net, bilinear": Bilinear,
    "autoencoder": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3, padding=1), nn.Sigmoid(),
    ),
    "decoder": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 4, 4), nn.ELU(), nn.Flatten(), nn.Linear(96, 24), nn.SiLU(), nn.Dropout(0.0),
        nn.Unflatten(1, (6, 2, 2)), nn.ConvTranspose2d(6, 4, 2, 2), nn.GELU(), nn.Conv2d(4, 2, 3, padding=1),
        nn.LeakyReLU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    ),
    "DenseNet": Dense,
    "squeeze and excite": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), SqueezeExcite(8), nn.Flatten(), nn.Linear(8 * 196, 4)
    ),
    "attention": Attention,
    "normalizations": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.InstanceNorm2d(8, affine=True), nn.PReLU(8),
        nn.GELU(), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(2 * 32 * 32, 3),
    ),
}  # fmt: skip


PLAIN = {"LeNet", "VGG", "ResNet", "U-Net", "autoencoder", "decoder", "DenseNet"}
"""Those that are made of layers that are here."""


def network(name: str) -> nn.Module:
    """A network whose running statistics are not those of the start."""
    torch.manual_seed(0)
    made = NETWORKS[name]()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.5, 0.5)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return made
