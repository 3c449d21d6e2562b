"""The one place that knows devices, arithmetic and threads."""

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from netlab.choices import PRECISIONS
from netlab.errors import UsageError, counted

_STATUS = Path("/proc/self/status")  # Linux alone has it, and a peak that can be set back


@dataclass(frozen=True)
class Machine:
    """Where a network runs, in which arithmetic, with how many CPU threads."""

    device: torch.device
    precision: str
    """fp32, bf16 or fp16; weights are fp32 in any case."""
    threads: int

    def autocast(self) -> torch.autocast:
        """Context in which a network's layers run in `precision`."""
        dtype = getattr(torch, PRECISIONS[self.precision])
        return torch.autocast(self.device.type, dtype=dtype, enabled=self.precision != "fp32")

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network here, in the memory layout that its convolutions are fastest in."""
        if self.device.type == "mps":
            return network.to(self.device)
        # The stub of Module.to has no overload for memory_format alone beside a device.
        return network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which only fp16 needs."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def describe(self) -> str:
        """One phrase for people: `cpu (2 threads), bf16`."""
        device = str(self.device)
        if self.device.type == "cuda":
            device += f" ({torch.cuda.get_device_name(self.device)})"
        elif self.device.type == "cpu":
            device += f" ({counted(self.threads, 'thread')})"
        return f"{device}, {self.precision}"

    def use_threads(self) -> None:
        """Let torch compute with `threads` CPU threads from here on, in this process."""
        torch.set_num_threads(self.threads)

    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def resolve(device: str = "auto", precision: str = "auto", threads: int = 0) -> Machine:
    """Turn wishes into what is there, and set the number of CPU threads.

    Only `auto` may choose, here by what the hardware has, without trying (`netlab.timing` tries): a
    named device that is absent is an error.

    Raises:
        UsageError: an unknown device, one that is not there, or arithmetic it has not.
    """
    count = threads or available_cores()
    torch.set_num_threads(count)
    chosen = _device(device)
    return Machine(chosen, _precision(precision, chosen), count)


def read_together(scalars: Sequence[Tensor]) -> list[float]:
    """The values of scalars, fetched from their device in one transfer."""
    device = scalars[0].device
    same = [scalar.detach().to(device, torch.float32).reshape(()) for scalar in scalars]
    values: list[float] = torch.stack(same).tolist()
    return values


def forget_peak_memory(device: torch.device) -> None:
    """Let `peak_memory` begin anew, where the system can: on CUDA and under Linux."""
    if device.type == "cuda" and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.reset_peak_memory_stats(device)
    elif _STATUS.exists():
        with contextlib.suppress(OSError):  # not in every container
            _STATUS.with_name("clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """The most memory in MiB that was in use: of a GPU by tensors, of a CPU by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    if _STATUS.exists() and (match := re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())):
        return int(match[1]) // 2**10
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def _device(wish: str) -> torch.device:
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", wish):
        raise UsageError(f"unknown device '{wish}'. Known: auto, cpu, cuda, cuda:N, mps.")
    if wish.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        number = int(wish.partition(":")[2] or 0)
        if number >= count:
            raise UsageError(
                f"--device {wish}: this machine has {count or 'no'} usable CUDA device"
                f"{'s' if count > 1 else ''}; use --device auto or cpu"
            )
    if wish == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: not there on this machine; use --device auto or cpu")
    return torch.device(wish)


def _precision(wish: str, device: torch.device) -> str:
    if wish == "fp16" and device.type == "cpu":
        raise UsageError("--precision fp16 is not for the CPU; use auto, bf16 or fp32")
    if wish != "auto":
        return wish
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def cpu_has_bf16() -> bool:
    """Whether the processor has instructions for bf16.

    Without them it is emulated, several times slower than fp32; with some of them it is, too.
    """
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def available_cores() -> int:
    """The cores that this process may use."""
    with contextlib.suppress(AttributeError):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
