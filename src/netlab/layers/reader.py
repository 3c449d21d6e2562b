"""A small network that reads classes from pictures while a VAE is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from netlab.contracts.vae_term import VaeNetwork


class Reader(nn.Module):
    """Strided convolutions, the mean over the last map, logits.

    Args:
        channels: of the pictures.
        outputs: number of logits.
        width: channels of the first level; each of the further two doubles them.
    """

    def __init__(self, channels: int, outputs: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, out in enumerate((width, 2 * width, 4 * width)):
            for stride in (1, 2) if index else (2,):
                layers += [
                    nn.Conv2d(channels, out, kernel_size=3, stride=stride, padding=1, bias=False),
                    nn.BatchNorm2d(out),
                    nn.LeakyReLU(0.1),
                ]
                channels = out
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, C, S, S) in [0, 1] to float logits (B, outputs)."""
        logits: Tensor = self.head(self.layers(2 * x - 1).mean(dim=(2, 3)))
        return logits.float()


@contextmanager
def in_use(module: nn.Module | VaeNetwork) -> Iterator[None]:
    """Within it a module is in evaluation mode; afterwards as it was."""
    was_training = module.training
    module.train(False)
    try:
        yield
    finally:
        module.train(was_training)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it a module is in evaluation mode, and no gradient reaches its weights."""
    learning = [p.requires_grad for p in module.parameters()]
    module.requires_grad_(False)
    try:
        with in_use(module):
            yield
    finally:
        for parameter, grad in zip(module.parameters(), learning, strict=True):
            parameter.requires_grad_(grad)
