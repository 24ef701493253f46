#!/usr/bin/env bash
# One expects of a bfloat16 convolution what float32 gives, a little less exact, whatever the size of its maps.
#
# What happens on a processor with AMX: where the maps that come out are one pixel wide (4 x 2 -> 2 x 1, kernel 4, stride 2,
# padding 1: the innermost step of pix2pix' U-Net on pictures twice as high as wide), the result now and then depends on
# what lay in memory before, and is not-a-number where that was. The gradient of a transposed convolution from such maps
# does the same. Capped at AVX512_CORE_BF16 (ONEDNN_MAX_CPU_ISA) both are finite. The gradient of the weights of a stride-2
# convolution whose maps go in one pixel wide is at fault either way. In float32 all values are finite. oneDNN's verbose
# output names the kernel of the first: brg_conv_fwd:avx10_1_512_amx.
#
# Why it matters: people are pictures of 128 x 64. A generator of six levels gets a loss of nan in its first or tenth
# batch, on some processors only, which looks like a learning rate that is too high. Compute such layers in float32.
#
# Seen with torch 2.13.0 on a processor that reports amx_bf16, not finite in 9, 6 and 19 of 20 trials; capped in 0, 0 and 20;
# with float32 in none. Without amx_bf16 the script ends with 3: there is not all of it to see.
set -euo pipefail
if ! grep -qw amx_bf16 /proc/cpuinfo; then
  echo "this processor has no amx_bf16: not all of it can be seen here"
  exit 3
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/trial.py" <<'PYTHON'
import torch

torch.set_num_threads(1)


def fill_memory():
    """Blocks of many sizes hold not-a-numbers, and are free again."""
    blocks = [torch.full((size,), float("nan")) for size in (10, 100, 1000, 5000, 20_000, 100_000, 500_000, 2_000_000)]
    del blocks


def trials(layer, channels, height, width, kernel, padding, dtype):
    """Of 20: how often the output, the weights' gradient, the input's gradient have a value that is not finite."""
    counts = [0, 0, 0]
    for seed in range(20):
        torch.manual_seed(seed)
        made = layer(channels, channels, kernel, 2, padding, bias=False).to(dtype)
        maps = (torch.rand(16, channels, height, width) * 2 - 1).to(dtype).requires_grad_(True)
        fill_memory()
        out = made(maps)
        gradient = torch.randn_like(out)
        fill_memory()
        out.backward(gradient)
        for place, values in enumerate((out, made.weight.grad, maps.grad)):
            counts[place] += not bool(torch.isfinite(values).all())
    return counts


for dtype in (torch.bfloat16, torch.float32):
    out = trials(torch.nn.Conv2d, 128, 4, 2, 4, 1, dtype)[0]
    into = trials(torch.nn.ConvTranspose2d, 128, 2, 1, 4, 1, dtype)[2]
    weights = trials(torch.nn.Conv2d, 64, 6, 1, 3, 1, dtype)[1]
    print(str(dtype).removeprefix("torch."), out, into, weights)
PYTHON
export OMP_NUM_THREADS=1
seen=$("$folder/venv/bin/python" "$folder/trial.py" 2> /dev/null)
without=$(ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 "$folder/venv/bin/python" "$folder/trial.py" 2> /dev/null)
echo "not finite, of 20 trials (output, gradient of the input, gradient of the weights):"
echo "$seen"
echo "without AMX:"
echo "$without"
python3 - "$seen" "$without" <<'PYTHON'
import sys

rows, plain = ({line.split()[0]: [int(n) for n in line.split()[1:]] for line in text.splitlines()} for text in sys.argv[1:])
output, into, weights = plain["bfloat16"]
expected = all(rows["bfloat16"]) and weights and not any([output, into, *rows["float32"], *plain["float32"]])
sys.exit(0 if expected else 1)
PYTHON
