"""The label as an extra image channel into the encoder and one-hot beside the latent."""

from netlab.conditioning._plane import PlaneConditioning
from netlab.registry import register


@register("conditioning")
class ChannelConditioning(PlaneConditioning):
    """The label only at both inputs (Sohn, Lee, Yan, "Structured Output", NIPS 2015)."""
