"""The lab's own kustomize makes the same of the operator's release as kubectl does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from simlab import kustomize
from simlab.operator import seed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("folder", "rendered"), [("release", seed.RELEASE), ("samples/ccruntime/default", seed.CC_RUNTIME)]
)
def test_the_release_is_rendered_as_kubectl_renders_it(folder: str, rendered: Path) -> None:
    found = list(yaml.safe_load_all(kustomize.render(seed.SOURCE / "config" / folder)))
    wanted = list(yaml.safe_load_all(rendered.read_text()))
    names = [[(one["kind"], one["metadata"]["name"]) for one in objects] for objects in (found, wanted)]
    assert names[0] == names[1]
    assert found == wanted


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("commonLabels: {a: b}\nresources: []\n")
    with pytest.raises(kustomize.KustomizeError, match="does not know commonLabels"):
        kustomize.render(tmp_path)
    with pytest.raises(kustomize.KustomizeError, match=r"unable to find one of 'kustomization\.yaml'"):
        kustomize.render(tmp_path / "nothing")
