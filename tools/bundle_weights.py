"""Turn a finished run into bundled weights: `tools/bundle_weights.py RUN NAME --licence TEXT`.

Scores the run's best weights on the test part, stores them as fp16, checks that the stored weights
give the same masks (at least 99.9 % of the test part's pixels), and writes
`src/netlab/zoo/NAME.safetensors` with the scores, the command and the licence in its description.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from netlab.engine.scoring import evaluate
from netlab.engine.weights import load_weights, save_weights

_ENOUGH = 0.999
_ZOO = Path(__file__).parent.parent / "src" / "netlab" / "zoo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--licence", required=True)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    source, target = args.run / "best.safetensors", _ZOO / f"{args.name}.safetensors"
    loaded = load_weights(source)
    tensors = loaded.network.state_dict()
    scored = evaluate(source, precision="fp32", threads=args.threads, note=print)
    result = scored.result()
    scores = {
        "test_miou": result["miou"],
        "test_pixel_accuracy": result["pixel_accuracy"],
        **{f"test_iou_{name}": value for name, value in result["iou"].items()},
        "test_count": result["count"],
    }
    metrics = {**loaded.about["metrics"], **{k: round(v, 6) for k, v in scores.items()}}
    about = {**loaded.about, "metrics": metrics, "licence": args.licence}
    save_weights(target, tensors, about, half=True)
    halved = evaluate(target, precision="fp32", threads=args.threads)
    equal = np.mean(np.concatenate(scored.predicted) == np.concatenate(halved.predicted))
    print(f"test mIoU {result['miou']:.4f}, stored as fp16 {halved.result()['miou']:.4f}")
    print(f"{equal:.4%} of pixels equal, {target.stat().st_size / 2**20:.2f} MiB: {target}")
    if equal < _ENOUGH:
        target.unlink()
        sys.exit(f"fewer than {_ENOUGH:.1%} of pixels equal: not bundled")


if __name__ == "__main__":
    main()
