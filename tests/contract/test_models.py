"""Every model keeps the contract of `ReidNetwork`. Sizes are small where the architecture allows it."""

import pytest
import torch

from anonbench.errors import ConfigError
from anonbench.models._network import ReidNetwork, TrainingOutput, create_model
from anonbench.registry import MODELS

IDENTITIES, BATCH = 3, 4
FIXED_SIZES = {"hacnn": (160, 64), "mudeep": (256, 128)}
PUBLISHED_DIMS = {"bot": 2048, "pcb": 12288, "mlfn": 1024, "resnet50mid": 3072, "hacnn": 1024, "mudeep": 4096}
HEADS = {"pcb": 6, "hacnn": 2}


def size_of(name: str) -> tuple[int, int]:
    return FIXED_SIZES.get(name, (64, 48))


@pytest.fixture(scope="module", params=MODELS.names())
def network(request: pytest.FixtureRequest) -> ReidNetwork:
    """One network a model, as channels_last, shared by the tests below (MuDeep holds half a gigabyte)."""
    name = request.param
    torch.manual_seed(0)
    built = create_model({"method": name, "input": list(size_of(name))}).build(IDENTITIES, pretrained=False)
    built.name = name
    return built.to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def images(network: ReidNetwork) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(BATCH, 3, *size_of(network.name), generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def test_in_train_mode_it_returns_logits_and_features(network: ReidNetwork, images: torch.Tensor) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network.train()(images)
    assert isinstance(output, TrainingOutput)
    assert [tuple(head.shape) for head in output.logits] == [(BATCH, IDENTITIES)] * HEADS.get(network.name, 1)
    assert output.features.shape == (BATCH, network.feature_dim)
    assert output.features.is_floating_point()


def test_in_eval_mode_it_returns_the_published_embedding(network: ReidNetwork, images: torch.Tensor) -> None:
    with torch.inference_mode():
        embedding = network.eval()(images)
        again = network(images)
        single = network(images[:1])
    assert embedding.shape == (BATCH, network.feature_dim)
    assert network.feature_dim == PUBLISHED_DIMS[network.name]
    assert embedding.isfinite().all()
    torch.testing.assert_close(embedding, again, rtol=0, atol=0)
    torch.testing.assert_close(embedding[:1], single, rtol=1e-3, atol=1e-4)  # batch statistics play no part


def test_row_major_and_channels_last_images_embed_alike(network: ReidNetwork, images: torch.Tensor) -> None:
    with torch.inference_mode():
        embedding = network.eval()(images)
        row_major = network(images.contiguous(memory_format=torch.contiguous_format))
    torch.testing.assert_close(embedding, row_major, rtol=1e-3, atol=1e-4)


def test_steps_reach_every_parameter_and_lower_the_loss(network: ReidNetwork, images: torch.Tensor) -> None:
    # One step is not enough to tell: through batch statistics of four images the loss is anything but smooth.
    labels = torch.arange(BATCH) % IDENTITIES
    parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3, fused=True)
    network.train()
    losses = []
    for _ in range(2 if network.name == "mudeep" else 5):  # 138 million weights: seconds a step
        torch.manual_seed(2)  # the same dropout in every step
        loss = torch.stack([torch.nn.functional.cross_entropy(h, labels) for h in network(images).logits]).mean()
        optimizer.zero_grad()
        loss.backward()
        assert not [n for n, p in parameters.items() if p.grad is None]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", MODELS.names())
def test_the_same_seed_builds_the_same_weights(name: str) -> None:
    if name == "mudeep":
        pytest.skip("138 million weights from the same torch initialisers as the others")
    built = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        built.append(create_model({"method": name, "input": list(size_of(name))}).build(IDENTITIES, pretrained=False))
    first, same, other = (list(n.parameters()) for n in built)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("name", "size"), FIXED_SIZES.items())
def test_a_wrong_size_is_refused_before_anything_is_built(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=rf"input is \[128, 64\].*only {size[0]} x {size[1]}.*input: \[{size[0]}, "):
        create_model({"method": name, "input": [128, 64]})


@pytest.mark.parametrize("found", [None, [128], [128, 64, 3], "128x64", [128, 47], [128.0, 64.0], [True, 64]])
def test_a_malformed_size_is_refused(found: object) -> None:
    with pytest.raises(ConfigError, match=r"model 'bot': input is .*expected \[height, width\]"):
        create_model({"method": "bot", "input": found})


@pytest.mark.parametrize("name", ["hacnn", "mudeep"])
def test_weights_that_do_not_exist_are_refused(name: str) -> None:
    model = create_model({"method": name, "input": list(size_of(name))})
    with pytest.raises(ConfigError, match="no ImageNet weights exist"):
        model.build(IDENTITIES, pretrained=True)


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'last_stride'"):
        create_model({"method": "bot", "input": [128, 64], "last_strid": 1})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"method": "bot", "last_stride": 3}, "last_stride must be 1 or 2, got 3"),
        ({"method": "pcb", "parts": 0}, "parts and reduced_dim must be >= 1"),
        ({"method": "mlfn", "embed_dim": 0}, "embed_dim must be >= 1"),
        ({"method": "hacnn", "feat_dim": 0}, "feat_dim must be >= 1"),
        ({"method": "resnet50mid", "fusion_dim": 0}, "fusion_dim must be >= 1"),
    ],
)
def test_parameters_out_of_range_are_refused(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model({"input": list(size_of(entry["method"])), **entry})
