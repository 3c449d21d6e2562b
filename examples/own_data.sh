#!/usr/bin/env bash
# Train on your own pictures and masks, score the result, and use it.
#
#   examples/own_data.sh PICTURES MASKS
#
# PICTURES holds photos, MASKS a PNG of the same stem for each, whose pixel values are class ids.
# Without arguments, a small set of both is drawn first, so that the script runs anywhere.
set -euo pipefail
pictures=${1:-}
masks=${2:-}
runs=runs

if [ -z "$pictures" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    pictures=$work/pictures masks=$work/masks runs=$work/runs
    python "$(dirname "$0")/draw_pairs.py" "$pictures" "$masks" --count 60
fi

netlab train unet --dataset pairs --images "$pictures" --masks "$masks" \
    --classes pet,background,border --image-size 64 --width 16 --epochs "${EPOCHS:-10}" \
    --runs-dir "$runs" --name own

netlab eval last --runs-dir "$runs"
netlab predict-mask "$pictures" --weights last --runs-dir "$runs" \
    --format overlay --out "${OUT:-own_overlays}"
