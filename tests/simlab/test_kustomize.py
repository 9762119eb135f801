"""The lab's own kustomize makes the same of the operator's release as kubectl does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from simlab import kustomize
from tests.simlab.operator.test_release_folder import FOLDERS, checkout, every_release

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.release.versions.release import Release


@pytest.mark.parametrize("folder", FOLDERS)
@every_release
def test_the_release_is_rendered_as_kubectl_renders_it(release: Release, folder: str, tmp_path: Path) -> None:
    found = list(yaml.safe_load_all(kustomize.render(checkout(release, tmp_path) / folder)))
    wanted = list(yaml.safe_load_all((release.folder / FOLDERS[folder]).read_text()))
    names = [[(one["kind"], one["metadata"]["name"]) for one in objects] for objects in (found, wanted)]
    assert names[0] == names[1]
    assert found == wanted


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("commonLabels: {a: b}\nresources: []\n")
    with pytest.raises(kustomize.KustomizeError, match="does not know commonLabels"):
        kustomize.render(tmp_path)
    with pytest.raises(kustomize.KustomizeError, match=r"unable to find one of 'kustomization\.yaml'"):
        kustomize.render(tmp_path / "nothing")
