"""Names of GPUs as in CUDA_VISIBLE_DEVICES: what each of them means."""

from __future__ import annotations

import pytest

from runner.backends.local.gpu_names import Gpu, GpuNames, Unit, parse

LISTING = b"""\
GPU 0: NVIDIA H100 (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 1g.10gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 2g.20gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA H100 (UUID: GPU-5d000000-0000-0000-0000-000000000001)
"""
FIRST, SECOND = "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "GPU-5d000000-0000-0000-0000-000000000001"
MIGS = ("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb")

names = GpuNames(lambda _: (Gpu(FIRST, MIGS), Gpu(SECOND)))


def test_output_of_nvidia_smi() -> None:
    assert parse(LISTING) == (Gpu(FIRST, MIGS), Gpu(SECOND))
    assert parse(b"No devices found.\n") == ()


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("0", Unit(FIRST, 0)),
        ("01", Unit(SECOND, 1)),
        (FIRST, Unit(FIRST, 0)),
        ("GPU-5d5b", Unit(FIRST, 0)),
        ("GPU-5D5BA0D6", Unit(FIRST, 0)),
        (MIGS[1], Unit(FIRST, 0, MIGS[1])),
        ("MIG-c6", Unit(FIRST, 0, MIGS[0])),
        ("MIG-GPU-5d5b/3/0", Unit(FIRST, 0, "MIG-GPU-5d5b/3/0")),
        ("GPU-5d", Unit("GPU-5d")),  # of two
        ("7", Unit("7", 7)),  # of none
        ("GPU-ffff", Unit("GPU-ffff")),
    ],
)
def test_unit_that_a_name_means(name: str, unit: Unit) -> None:
    assert names.unit(name) == unit


@pytest.mark.parametrize(
    ("value", "distinct"),
    [
        (["0", "1"], 2),
        (["0", "GPU-5d0"], 2),
        (["0", FIRST, "1"], 1),
        ([FIRST, "GPU-5d5b"], 1),
        (["1", "01"], 1),
        ([*MIGS, "1"], 3),
        (["1", MIGS[0], "0"], 2),
    ],
)
def test_list_ends_at_the_second_name_of_a_gpu(value: list[str], distinct: int) -> None:
    assert names.distinct(value) == tuple(value[:distinct])


def test_indices_need_no_list_of_gpus() -> None:
    """nvidia-smi may take seconds."""

    def gpus(migs: bool) -> tuple[Gpu, ...]:
        raise AssertionError

    assert GpuNames(gpus).distinct(["0", "3"]) == ("0", "3")
