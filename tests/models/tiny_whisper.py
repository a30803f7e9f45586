"""A Whisper model of random weights, small enough to be built by a test: the real format and code path, no sense."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers
from ctranslate2.specs import WhisperSpec

WIDTH = 32
HEADS = 2
MELS = 80
N_AUDIO = 1500
N_TEXT = 448


def specials() -> list[str]:
    return [
        "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
        "<|nospeech|>", "<|notimestamps|>", *(f"<|{n * 0.02:.2f}|>" for n in range(1501)),
    ]  # fmt: skip


def build_tiny_whisper(folder: Path, seed: int = 1) -> Path:
    """Write `model.bin`, `config.json`, `vocabulary.json` and `tokenizer.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = alphabet + specials()
    bpe = tokenizers.models.BPE(vocab={token: n for n, token in enumerate(alphabet)}, merges=[])
    tokenizer = tokenizers.Tokenizer(bpe)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(specials())
    tokenizer.save(str(folder / "tokenizer.json"))
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    _fill(spec, np.random.default_rng(seed), _bias(vocabulary))
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [vocabulary.index("<|en|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(folder))
    assert ctranslate2.contains_model(str(folder))
    return folder


def _bias(vocabulary: list[str]) -> np.ndarray:
    """So that what it says is letters and spaces, not broken UTF-8."""
    is_wanted = [token in "abcdefghijklmnopqrstuvwxyzĠ" or token.startswith("<|") for token in vocabulary]
    return np.where(is_wanted, 0.0, -30.0).astype(np.float32)


def _fill(spec: WhisperSpec, rng: np.random.Generator, only_letters: np.ndarray) -> None:
    def random(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(WIDTH)).astype(np.float32)

    def linear(layer, n_out: int, n_in: int = WIDTH) -> None:
        layer.weight, layer.bias = random(n_out, n_in), random(n_out)

    def norm(layer) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    for conv, n_in in ((spec.encoder.conv1, MELS), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = random(WIDTH, n_in, 3), random(WIDTH)
    spec.encoder.position_encodings.encodings = random(N_AUDIO, WIDTH)
    norm(spec.encoder.layer_norm)
    spec.decoder.embeddings.weight = random(len(only_letters), WIDTH)
    spec.decoder.position_encodings.encodings = random(N_TEXT, WIDTH)
    norm(spec.decoder.layer_norm)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.decoder.projection.bias = only_letters
    for layer in (*spec.encoder.layer, *spec.decoder.layer):
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * WIDTH)
        linear(layer.self_attention.linear[1], WIDTH)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 2 * WIDTH)
        linear(layer.ffn.linear_1, WIDTH, 2 * WIDTH)
        if hasattr(layer, "attention"):
            norm(layer.attention.layer_norm)
            linear(layer.attention.linear[0], WIDTH)
            linear(layer.attention.linear[1], 2 * WIDTH)
            linear(layer.attention.linear[2], WIDTH)
