"""Turn a finished run into bundled weights: `tools/bundle_weights.py RUN NAME --licence TEXT`.

Scores the run's best weights on the test split, stores them as fp16, checks that the stored weights
do the same (at least 99.9 % of the test split's pixels, labels or picture values), and writes
`src/netlab/weights/bundled/NAME.safetensors` with the scores, the command and the licence in its
description. A VAE's file also brings the scores of the weights named with `--beside`, as its
baselines. Where other programs run, set OMP_WAIT_POLICY=PASSIVE, as the command line does by
itself: threads that spin while they wait made this many times slower.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netlab.scoring.evaluate import evaluate
from netlab.tasks.load import load_weights
from netlab.weights.file import save_weights

_ENOUGH = 0.999
_CLOSE = 2  # of 255: what a picture's values may differ by; ids must be equal
_BUNDLED = Path(__file__).parent.parent / "src" / "netlab" / "weights" / "bundled"
_TRIVIAL = ("input", "real")  # baselines that every score of a VAE finds again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--licence", required=True)
    parser.add_argument("--beside", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    source, target = args.run / "best.safetensors", _BUNDLED / f"{args.name}.safetensors"
    loaded = load_weights(source)
    same: dict[str, Any] = {"precision": "fp32", "threads": args.threads}
    scored = evaluate(source, note=print, beside=args.beside, **same)
    result = scored.result()
    scores = {f"test_{name}": value for name, value in _flat(result).items()}
    about = {
        **loaded.about,
        "metrics": {**loaded.about["metrics"], **{k: round(v, 6) for k, v in scores.items()}},
        "licence": args.licence,
    }
    if args.beside:
        others = {k: v for k, v in result["baselines"].items() if k not in _TRIVIAL}
        about["baselines"] = {name.rpartition("-")[2]: found for name, found in others.items()}
    save_weights(target, loaded.network.state_dict(), about, half=True)
    halved = evaluate(target, **same)
    tolerance = _CLOSE if loaded.about["task"] == "vae" else 0
    apart = np.abs(scored.outcome().astype(np.int64) - halved.outcome().astype(np.int64))
    equal = np.mean(apart <= tolerance)
    for name, value in _flat(result).items():
        print(f"{name:<36} {value:>12.4f}, stored as fp16 {_flat(halved.result())[name]:>12.4f}")
    print(f"{equal:.4%} equal, {target.stat().st_size / 2**20:.2f} MiB: {target}")
    if equal < _ENOUGH:
        target.unlink()
        sys.exit(f"less than {_ENOUGH:.1%} equal: not bundled")


def _flat(result: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a result, those inside mappings under both names; no rates, no baselines."""
    found: dict[str, float] = {}
    for name, value in result.items():
        if name in ("baselines", "images_per_second", "judge"):
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}_")
        elif isinstance(value, int | float):
            found[prefix + name] = value
    return found


if __name__ == "__main__":
    main()
