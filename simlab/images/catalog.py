"""The images of the guide, as the simulated internet's registries have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.images import layer, oci, ocicrypt
from simlab.images.layer import Entry
from simlab.images.store import Store
from simlab.release import versions

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout

NGINX: Final = ("bitnami/nginx", "1.22.0")
PLAIN_BUSYBOX: Final = ("library/busybox", "1.36")
REGISTRY: Final = ("library/registry", "latest")

CANARY: Final = "opt/simlab/canary"

_APPLETS: Final = """
    cat chmod cp cut date dd dmesg echo env false free grep head hostname httpd id kill ls mkdir mount nc ping
    printenv ps pwd rm sed sh sleep sort stat tail tar test top touch tr true uname uptime wc wget
"""

_NGINX_ENTRYPOINT: Final = b"""\
#!/bin/sh
echo "nginx 08:00:00.00 "
echo "nginx 08:00:00.00 Welcome to the Bitnami nginx container"
exec "$@"
"""


def publish(layout: Layout, busybox: Path) -> None:
    """Put the guide's images into `layout.registry`; `busybox` is a static busybox to fill them with."""
    program = busybox.read_bytes()
    docker_hub = Store(layout.registry / "docker.io")
    docker_hub.put_image(*NGINX, nginx(program))
    docker_hub.put_image(*REGISTRY, registry())
    release = versions.of(layout)
    image = release.image
    sealed = encrypted_busybox(program, image.kid, image.key, wrap_type=release.guest.wrap_types[0])
    Store(layout.registry / image.registry).put_image(*image.name, sealed)
    plain = plain_busybox(program)
    docker_hub.put_image(PLAIN_BUSYBOX[0], plain.digest, plain)
    docker_hub.put_manifest(*PLAIN_BUSYBOX, oci.index(plain))


def nginx(busybox: bytes) -> oci.Image:
    """Build the plain image: a web server on port 8080, in two layers, as Docker pushes it."""
    base = _layer(_userland(busybox), docker=True)
    server = _layer(
        {
            "opt/bitnami/scripts/nginx/entrypoint.sh": Entry(_NGINX_ENTRYPOINT, 0o755),
            "opt/bitnami/scripts/nginx/run.sh": Entry(
                b'#!/bin/sh\necho "nginx 08:00:00.00 INFO  ==> ** Starting NGINX **"\n'
                b"httpd -f -vv -p 8080 -h /app &\ntrap 'kill $!; exit 0' TERM QUIT\nwait\n",
                0o755,
            ),
            "app/index.html": Entry(
                b"<!DOCTYPE html><title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>\n"
            ),
            CANARY: Entry(b"plain image bitnami/nginx:1.22.0\n"),
        },
        docker=True,
    )
    process = {
        "User": "1001",
        "ExposedPorts": {"8080/tcp": {}, "8443/tcp": {}},
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APP_VERSION=1.22.0"],
        "Entrypoint": ["/opt/bitnami/scripts/nginx/entrypoint.sh"],
        "Cmd": ["/opt/bitnami/scripts/nginx/run.sh"],
        "WorkingDir": "/app",
    }
    return oci.build([base, server], process, docker=True)


def registry() -> oci.Image:
    """Build the registry's image, whose program is the lab's own."""
    process = {
        "ExposedPorts": {"5000/tcp": {}},
        "Entrypoint": ["/entrypoint.sh"],
        "Cmd": ["/etc/docker/registry/config.yml"],
        "Labels": {"simlab.program": "simlab.internet.registry"},
    }
    note = _layer({"entrypoint.sh": Entry(b"acted for by simlab.internet.registry\n", 0o755)}, docker=True)
    return oci.build([note], process, docker=True)


def plain_busybox(busybox: bytes) -> oci.Image:
    """Build the official busybox for one platform: one layer, and a shell that ends without a terminal."""
    base = _layer(_userland(busybox) | {CANARY: Entry(b"plain image busybox:1.36\n")}, docker=False)
    process = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": ["sh"],
    }
    return oci.build([base], process)


def encrypted_busybox(
    busybox: bytes,
    kid: str,
    wrapping_key: bytes,
    *,
    wrap_type: str = ocicrypt.WRAP_TYPE,
    canary: str = "encrypted image",
) -> oci.Image:
    """Build the encrypted image; its one layer opens with the key `kid` only."""
    plain = layer.pack(_userland(busybox) | {CANARY: Entry(f"{canary} {kid}\n".encode())})
    ciphertext, annotations = ocicrypt.encrypt_layer(layer.compress(plain), kid, wrapping_key, wrap_type)
    sealed = oci.Layer(ciphertext, layer.digest(plain), oci.LAYER_GZIP_ENCRYPTED, annotations)
    process = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        # A first process that ignores SIGTERM would be waited for until it is killed.
        "Cmd": [
            "/bin/sh",
            "-c",
            "trap 'exit 0' TERM; echo encrypted busybox is up; tail -f /dev/null & wait",
        ],
    }
    return oci.build([sealed], process)


def _userland(busybox: bytes) -> dict[str, Entry]:
    links = {f"bin/{applet}": Entry(link="busybox") for applet in _APPLETS.split()}
    return links | {
        "bin/busybox": Entry(busybox, 0o755),
        "etc/passwd": Entry(b"root:x:0:0:root:/root:/bin/sh\n"),
        "etc/group": Entry(b"root:x:0:\n"),
        "etc/os-release": Entry(b'NAME="BusyBox"\nID=busybox\n'),
        "tmp/.keep": Entry(),
        "root/.keep": Entry(),
    }


def _layer(files: dict[str, Entry], *, docker: bool) -> oci.Layer:
    tar = layer.pack(files)
    media_type = oci.DOCKER_LAYER_GZIP if docker else oci.LAYER_GZIP
    return oci.Layer(layer.compress(tar), layer.digest(tar), media_type)
