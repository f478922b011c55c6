"""torch-fidelity's own Inception extractor with random weights, for timing only."""

import os
import tempfile

import torch


def write_weights(path, shapes):
    """A .pth of the names and shapes that the request lists, such that activations stay of ordinary size."""
    state = {}
    for name, shape in shapes:
        fan = torch.Size(shape[1:]).numel()
        state[name] = torch.randn(shape) * (2 / fan) ** 0.5 if len(shape) > 1 else torch.rand(shape) + 0.5
    torch.save(state, path)


def extractor(n, shapes, resize):
    """n images of uint8, 299 x 299, to pool and logits; without its resizer when `resize` is false."""
    import torch_fidelity.feature_extractor_inceptionv3 as module

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.pth")
        write_weights(path, shapes)
        net = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=path
        )
    resizer = module.interpolate_bilinear_2d_like_tensorflow1x
    x = torch.randint(0, 256, (n, 3, 299, 299), dtype=torch.uint8)

    def run():
        module.interpolate_bilinear_2d_like_tensorflow1x = resizer if resize else lambda x, **_: x
        with torch.no_grad():
            net(x)

    return run


INCEPTION = {"inception": extractor}
