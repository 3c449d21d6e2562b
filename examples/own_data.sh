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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "$pictures" ]; then
    pictures=$work/pictures masks=$work/masks
    python "$(dirname "$0")/draw_pairs.py" "$pictures" "$masks" --count 60
fi

netlab train unet --dataset pairs --images "$pictures" --masks "$masks" \
    --classes pet,background,border --image-size 64 --width 16 --epochs "${EPOCHS:-10}" \
    --runs-dir "$work/runs" --name own

netlab eval last --runs-dir "$work/runs"
netlab predict-mask "$pictures" --weights last --runs-dir "$work/runs" \
    --format overlay --out "${OUT:-own_overlays}"
