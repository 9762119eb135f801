"""Files are read as far as they can be worth something."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab.bounded import read_at_most

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_up_to_its_limit_and_a_larger_one_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1234")
    assert read_at_most(file, 4) == b"1234"
    with pytest.raises(OSError, match="it is larger than 3 bytes"):
        read_at_most(file, 3)
    (tmp_path / "link").symlink_to("file")
    assert read_at_most(tmp_path / "link", 4) == b"1234"
    with pytest.raises(OSError, match="link"):
        read_at_most(tmp_path / "link", 4, os.O_NOFOLLOW)
