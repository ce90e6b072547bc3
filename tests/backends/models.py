"""Models as users have them, written anew with the names and shapes of the originals; no weights are downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

import repcore as rc

__all__ = ["ResNet", "resnet_rules", "vit", "vit_rules"]


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: torchvision's BasicBlock."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's ResNet of basic blocks; ResNet-18 by default (K. He, X. Zhang, S. Ren and J. Sun, 2016)."""

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512), depth: int = 2, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        before = widths[0]
        for k, width in enumerate(widths):
            blocks = [Block(before if i == 0 else width, width, 2 if k and i == 0 else 1) for i in range(depth)]
            self.add_module(f"layer{k + 1}", nn.Sequential(*blocks))
            before = width
        self.stages = len(widths)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def features(self, x: Tensor) -> Tensor:
        """The last features, (B, channels, height, width)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for k in range(self.stages):
            x = getattr(self, f"layer{k + 1}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.features(x)).flatten(1))


def resnet_rules(widths: Sequence[int] = (64, 128, 256, 512), order: int = 8, classes: int = 1000) -> dict[str, str]:
    """Regular fields of a group of so many elements throughout, and an invariant head."""
    copies = [width // order for width in widths]
    first, last = copies[0], copies[-1]
    rules = {"conv1": f"3*1 >> {first}*regular", "bn1": f"{first}*regular", "fc": f"{last}*regular >> {classes}*1"}
    before = first
    for k, now in enumerate(copies, 1):
        if k == 1:
            rules[f"layer{k}.*.conv?"] = f"{now}*regular >> {now}*regular"
        else:
            rules[f"layer{k}.0.conv1"] = rules[f"layer{k}.0.downsample.0"] = f"{before}*regular >> {now}*regular"
            rules[f"layer{k}.0.conv2"] = rules[f"layer{k}.[!0].conv?"] = f"{now}*regular >> {now}*regular"
            rules[f"layer{k}.0.downsample.1"] = f"{now}*regular"
        rules[f"layer{k}.*.bn?"] = f"{now}*regular"
        before = now
    return rules


def vit(image: int = 224, patch: int = 16, hidden: int = 192, heads: int = 3, layers: int = 12, classes: int = 1000) -> Any:
    """A vision transformer of the library transformers with random weights; ViT-Tiny by default."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        image_size=image,
        patch_size=patch,
        num_labels=classes,
        attn_implementation="eager",
    )
    return ViTForImageClassification(config)


def vit_rules(model: nn.Module, order: int = 8) -> dict[str, Any]:
    """Regular fields of a group of so many elements, heads that hold whole fields, and an invariant head of the model."""
    config: Any = model.config
    n, cells = config.hidden_size // order, config.image_size // config.patch_size
    inside, wide = f"{n}*regular >> {n}*regular", config.intermediate_size // order
    names = {name for name, _ in model.named_parameters()}
    # The layers of transformers 5, and what they were called in 4.
    now = any(".q_proj." in name for name in names)
    projections, out, up, down = (
        ("**.[qkv]_proj", "**.o_proj", "**.mlp.fc1", "**.mlp.fc2")
        if now
        else ("**.attention.attention.*", "**.attention.output.dense", "**.intermediate.dense", "**.layer.*.output.dense")
    )
    return {
        "**.cls_token": f"1 >> {n}*regular",
        "**.position_embeddings": f"1 + grid({cells}) >> {n}*regular",
        "**.patch_embeddings.projection": f"3*1 >> {n}*regular",
        projections: rc.Rule(inside, heads=config.num_attention_heads),
        out: inside,
        up: f"{n}*regular >> {wide}*regular",
        down: f"{wide}*regular >> {n}*regular",
        "**.layernorm*": f"{n}*regular",
        "classifier": f"{n}*regular >> {config.num_labels}*1",
    }
