"""What a server answers that is no Kubernetes API: that cause, and no traceback."""

from __future__ import annotations

import pytest

from lab.errors import Unreachable
from lab.kube_api import KubeApi

PATH = "/apis/node.k8s.io/v1/runtimeclasses"
LIST = b'{"kind": "RuntimeClassList", "items": [{"metadata": {"name": "kata"}, "handler": "kata"}]}'


class Answering(KubeApi):
    """An API of which only the answer matters."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def data(self, *_: object, **__: object) -> bytes:
        return self._answer


@pytest.mark.parametrize("answer", [b"", b"<html>Please log in</html>", LIST[:40], b"\xff\xfe"])
def test_what_is_no_json_is_told(answer: bytes) -> None:
    with pytest.raises(Unreachable, match=f"cluster: {PATH} is answered, but not with JSON"):
        Answering(answer).json("GET", PATH)


@pytest.mark.parametrize(
    "answer",
    [
        b"17",
        b"[]",
        b"null",
        b'{"items": {"a": 1}}',
        b'{"items": [17, null]}',
        b'{"items": [{"metadata": "kata"}]}',
    ],
)
def test_what_lists_no_objects_is_told(answer: bytes) -> None:
    with pytest.raises(Unreachable, match="with no object and no list of objects"):
        Answering(answer).json("GET", PATH)


@pytest.mark.parametrize("answer", [LIST, b"{}", b'{"items": null}', b'{"kind": "Pod", "metadata": {}}'])
def test_objects_and_lists_are_taken(answer: bytes) -> None:
    Answering(answer).json("GET", PATH)
