from pathlib import Path

import pytest

from lab.memory_file import MemoryFile


def test_it_can_be_opened_by_its_path_as_often_as_needed() -> None:
    with MemoryFile(b"content") as file:
        assert Path(file.path).read_bytes() == b"content"
        assert Path(file.path).read_bytes() == b"content"


def test_it_is_gone_once_closed() -> None:
    file = MemoryFile(b"content")
    path = file.path
    file.close()
    file.close()
    with pytest.raises(FileNotFoundError):
        Path(path).read_bytes()
